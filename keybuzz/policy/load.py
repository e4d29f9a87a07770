"""The rules' context from the files of the site: without root, without state, without a credential store."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import DigestKey
from keybuzz.policy.applications import OneApplication
from keybuzz.policy.context import Context, KnownSecrets, known_secrets, make_context
from keybuzz.policy.registry import check_waivers
from keybuzz.site.applications.parse import load_applications
from keybuzz.site.applications.uses import endpoints_of
from keybuzz.site.credentials.store import load_credentials
from keybuzz.site.digest_key import known_digest_key
from keybuzz.site.files.problems import read_file
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.groups import load_groups
from keybuzz.site.load import Configuration, read_policies
from keybuzz.site.settings import load_settings
from keybuzz.site.site import Settings
from keybuzz.site.versions import parse_versions

_LIMIT = 1 << 18


def load_context(configuration: Configuration, today: date, application: str = "") -> Context:
    """Read what the rules need. Writes nothing; a credential store that cannot be read is none.

    With an application, its files are held to what applications.yaml describes for it; InputError when it does not
    name one.
    """
    root = configuration.path.resolve().parent
    catalogue = load_groups(configuration.groups)
    policies = read_policies(configuration.policies, catalogue)
    check_waivers(policies)
    versions = read_file(configuration.versions, _LIMIT)
    known, why = _secrets(load_settings(root, configuration.site, configuration.overlay))
    servers = read_servers(configuration.servers, catalogue)
    described = load_applications(configuration.applications)
    made = make_context(
        servers,
        catalogue,
        parse_versions(versions, str(configuration.versions)),
        policies,
        today,
        known,
    )
    made = replace(made, no_secrets=why)
    if not application:
        return made
    endpoints = endpoints_of(servers, catalogue)
    return replace(made, applications=OneApplication(described.named(application), endpoints))


def _secrets(settings: Settings) -> tuple[KnownSecrets | None, str]:
    """Return the store's values as digests, or why there are none.

    The key is the site's, or one that ends with this process where the site has none yet, or none that may be used.
    """
    try:
        credentials = load_credentials(settings.credentials)
    except OSError as error:
        return None, f"{settings.credentials}: {error.strerror}"
    except InputError as error:
        return None, str(error).partition("\n")[0]
    try:
        key = known_digest_key(settings.state)
    except InputError:
        key = None
    key = key or DigestKey(secrets.token_bytes(32))
    return known_secrets(key, credentials), f"{settings.credentials} holds nothing"
