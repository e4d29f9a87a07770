"""The one schema of the credential store: variable, file, form, generator and consumers (SEC-1, SEC-3).

Each module declares the credentials of its service (`Module.credentials`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

CONTROLLER = "controller"
"""The group of the one host that holds the whole store."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One variable of the store (facts/credentials.md)."""

    name: str
    file: str
    default: str = ""
    """Value for a name that is not secret; empty means: a secret that is generated."""
    consumers: tuple[str, ...] = ()
    """Groups of servers that need it; all others must not have it."""
    minimum: int = 16
    """Characters that a secret should have at least; a live one that is taken over may have fewer."""
    length: int = 25
    """Letters and digits that are generated."""
    aliases: tuple[str, ...] = ()
    """Other names that are understood on reading; `name` is what is written."""
    most: str = ""
    """A number that must not be above the size of this group of servers."""
    former_file: str = ""
    """Name of a file that older scripts wrote it into, alone."""
    weak: frozenset[str] = frozenset()
    """Names that exist in every installation of the program: attackers try them first."""

    @property
    def secret(self) -> bool:
        """True when its value must not be shown."""
        return not self.default

    @property
    def service(self) -> str:
        """Name of the service, as in a path of Vault."""
        return PurePath(self.file).stem


EXTERNAL_FILES = ("mail.env", "marketplaces.env", "stripe.env")
"""Files of applications: kbz looks at their presence and mode, and never at what is in them."""

_DEFAULTS = frozenset(
    {
        "admin",
        "administrator",
        "changeme",
        "default",
        "guest",
        "keybuzz",
        "password",
        "root",
        "secret",
        "test",
    }
)
"""What programs are delivered with, and what people write for the moment. Refused, also repeated or with digits."""


@cache
def schema() -> tuple[Credential, ...]:
    """Return every credential that a module declares, in the owner's order of modules."""
    from keybuzz.site.modules import all_modules

    return tuple(item for module in all_modules() for item in module.credentials)


@cache
def delivered() -> frozenset[str]:
    """Return what programs are delivered with, those of the modules too, and what people write for the moment."""
    from keybuzz.site.modules import all_modules

    return _DEFAULTS.union(*(module.delivered for module in all_modules()))


def former_files() -> dict[str, str]:
    """Return the names that older scripts wrote, and where their content belongs now."""
    return {item.former_file: item.file for item in schema() if item.former_file}


SHORTEST = 8
"""Characters below which a secret is refused, also a live one: masked as text, it would hide parts of other words."""


def is_delivered(clear: str) -> bool:
    """Return whether a secret is what a program is delivered with: a name too, so that no text is masked by it."""
    return clear.casefold() in delivered()


def files() -> tuple[str, ...]:
    """Return the files of the store."""
    return tuple(sorted({*(item.file for item in schema()), *EXTERNAL_FILES}))


def find(name: str) -> Credential | None:
    """Return the credential of that name or alias, or None."""
    return next((item for item in schema() if name == item.name or name in item.aliases), None)


def vault_paths(credentials: tuple[Credential, ...]) -> dict[str, tuple[str, ...]]:
    """Return the path of each service in a later Vault, with its names (SEC-3); no value is looked at."""
    paths: dict[str, tuple[str, ...]] = {}
    for item in credentials:
        path = f"secret/keybuzz/global/{item.service}"
        paths[path] = (*paths.get(path, ()), item.name)
    paths["secret/keybuzz/global/mail"] = ("MAIL_SMTP_USER", "MAIL_SMTP_PASSWORD")
    paths["secret/keybuzz/global/stripe"] = ("STRIPE_SECRET_KEY",)
    for name in ("marketplaces", "erpnext", "api_keys"):
        paths[f"secret/keybuzz/tenant_<ID>/{name}"] = ()
    return paths
