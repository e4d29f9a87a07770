"""Applications as text: the list, and the environment of one as dotenv or for Kubernetes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Applications
from keybuzz.site.applications.uses import Endpoints, Use, uses
from keybuzz.site.applications.variables import Password, Plain, Url, Variable

_FILES = "/run/secrets"
"""Where Docker and Compose mount secrets."""
_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]*")
"""What every reader of dotenv files takes as it is."""


def applications_text(found: Applications, endpoints: Endpoints) -> str:
    """Return one line for each endpoint that an application may use."""
    rows = [("application", "service", "endpoint", "uses", "user")]
    for item in found.items:
        rows += [_row(item, use) for use in uses(item, endpoints)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, f"{len(found.items)} applications"]) + "\n"


def _row(item: Application, use: Use) -> tuple[str, str, str, str, str]:
    places = "the platform's account" if use.shared else ", ".join(use.places)
    return item.name, use.service, str(use.endpoint), places, ", ".join(use.users)


def applications_document(found: Applications, endpoints: Endpoints) -> dict[str, Any]:
    """Return the same as a document."""
    return {
        "format_version": 1,
        "verb": "apps list",
        "applications": [
            {
                "name": item.name,
                "title": item.title,
                "uses": [_use(use) for use in uses(item, endpoints)],
            }
            for item in found.items
        ],
    }


def _use(use: Use) -> dict[str, Any]:
    return {
        "service": use.service,
        "host": use.endpoint.host,
        "port": use.endpoint.port,
        "shared": use.shared,
        "names": list(use.places),
        "users": list(use.users),
    }


def dotenv(application: Application, variables: Iterable[Variable]) -> str:
    """Return the environment as a dotenv file; a secret is the path of a file, or `${NAME}` inside of an URL."""
    asked = proposed("kbz", "apps", "env", application.name)
    lines = [
        f"# {application.title} ({asked}). It holds no secret: NAME_FILE names the file",
        "# with the value, and ${NAME} is the variable of the credential store.",
    ]
    for item in variables:
        match item:
            case Plain(name, value):
                lines.append(f"{name}={value}")
            case Password(name, credential):
                lines.append(f"{name}_FILE={_FILES}/{credential.lower()}")
            case Url(name, before, credential, after):
                lines.append(f"{name}={before}${{{credential}}}{after}")
    return "\n".join(lines) + "\n"


def dotenv_in_clear(
    application: Application,
    variables: Iterable[Variable],
    reveal: Callable[[str], Secret],
) -> str:
    """Return the same with the secrets in it: only for a file of mode 0600."""
    lines = [
        f"# {application.title}: holds secrets; mode 0600, in no repository (SEC-2).",
    ]
    for name, value in _clear(variables, reveal):
        if not _SAFE.fullmatch(value):
            raise InputError(
                f"{name} holds characters that readers of dotenv files take in different ways",
                where=application.name,
                hint="rotate its credential (letters and digits), or use --format kubernetes",
            )
        lines.append(f"{name}={value}")
    return "\n".join(lines) + "\n"


def kubernetes(application: Application, variables: Iterable[Variable]) -> str:
    """Return the `env` of a container; a secret is a reference to a key of the application's Secret."""
    lines = [
        f"# {application.title}. The keys are in Secret {secret_name(application)}, for kubectl apply -f:",
        f"# {proposed('kbz', 'apps', 'env', application.name)} --format kubernetes --reveal-to FILE",
        "env:",
    ]
    for item in variables:
        lines.append(f"  - name: {item.name}")
        if isinstance(item, Plain):
            lines.append(f"    value: {json.dumps(item.value)}")
        else:
            lines += [
                "    valueFrom:",
                "      secretKeyRef:",
                f"        name: {secret_name(application)}",
                f"        key: {item.name}",
            ]
    return "\n".join(lines) + "\n"


def kubernetes_secret(
    application: Application,
    variables: Iterable[Variable],
    reveal: Callable[[str], Secret],
) -> str:
    """Return the Secret that those references name: only for a file of mode 0600."""
    keys = [item for item in variables if not isinstance(item, Plain)]
    data = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in _clear(keys, reveal))
    head = "apiVersion: v1\nkind: Secret\nmetadata:\n"
    return f"{head}  name: {secret_name(application)}\ntype: Opaque\nstringData:\n{data}"


def secret_name(application: Application) -> str:
    """Return the name of the Secret in Kubernetes."""
    return f"{application.name}-platform"


def _clear(
    variables: Iterable[Variable], reveal: Callable[[str], Secret]
) -> Iterable[tuple[str, str]]:
    for item in variables:
        match item:
            case Plain(name, value):
                yield name, value
            case Password(name, credential):
                yield name, reveal(credential).reveal()
            case Url(name, before, credential, after):
                yield name, f"{before}{quote(reveal(credential).reveal(), safe='')}{after}"
