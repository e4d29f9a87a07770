"""The rules' context from the files of the site: without root, without state, without a credential store."""

from __future__ import annotations

import secrets
from datetime import date

from keybuzz.model.errors import InputError
from keybuzz.model.secret import DigestKey
from keybuzz.policy.context import Context, KnownSecrets, known_secrets, make_context
from keybuzz.policy.registry import check_waivers
from keybuzz.site.credentials import load_credentials
from keybuzz.site.groups import load_groups
from keybuzz.site.load import Configuration, read_policies
from keybuzz.site.problems import read_file
from keybuzz.site.settings import load_settings
from keybuzz.site.site import Settings
from keybuzz.site.tsv import read_servers
from keybuzz.site.versions import parse_versions

_LIMIT = 1 << 18


def load_context(configuration: Configuration, today: date) -> Context:
    """Read what the rules need. Writes nothing; a credential store that can not be read is none."""
    root = configuration.path.resolve().parent
    catalogue = load_groups(configuration.groups)
    policies = read_policies(configuration.policies, catalogue)
    check_waivers(policies)
    versions = read_file(configuration.versions, _LIMIT)
    return make_context(
        read_servers(configuration.servers, catalogue),
        catalogue,
        parse_versions(versions, str(configuration.versions)),
        policies,
        today,
        _secrets(load_settings(root, configuration.site, configuration.overlay)),
    )


def _secrets(settings: Settings) -> KnownSecrets | None:
    """Return the store's values as digests, under the site's key or one that ends with this process."""
    try:
        credentials = load_credentials(settings.credentials)
    except (OSError, InputError):
        return None
    try:
        key = (settings.state / "digest.key").read_bytes()
    except OSError:
        key = secrets.token_bytes(32)
    return known_secrets(DigestKey(key), credentials)
