"""What applications can have in a service, and use of it: one key of applications.yaml, declared by its module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Part
from keybuzz.site.applications.reader import PartReader
from keybuzz.site.applications.variables import Endpoint, Variable
from keybuzz.site.credentials.accounts import AccountKind
from keybuzz.site.files.yaml_tree import Tree

SHARED = "shared"
"""The word for the platform's own account."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One key of applications.yaml."""

    key: str
    read: Callable[[PartReader, Tree, str], tuple[Part, ...]]
    """What stands below the key; the text is the application's name."""
    variables: Callable[
        [Application, Mapping[int, Endpoint], Mapping[str, Secret]], Iterable[Variable]
    ]
    """Its part of an application's environment, from the endpoint of each port and the credentials."""
    accounts: AccountKind | None = None
    shared: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Words for the platform's own account, each with the ports that it opens; empty where there is none."""
    named_in_store: bool = False
    """The names of the platform's own account are in the store."""
    ports_of: Callable[[Part], tuple[int, ...]] | None = None
    """Ports by which a part can be reached; None: by all of the endpoint."""
    closed: Mapping[int, str] = field(default_factory=dict)
    """Why an application that may use the endpoint may not use this port, such as `without the pool`."""
    taken: frozenset[str] = frozenset()
    """Names of the program's own and of the platform: no application gets one of them."""
    platform_names: tuple[str, ...] = ()
    """Variables of the store that name what no application may call its own so."""
    platform_users: tuple[str, ...] = ()
    """The same for the user of a part."""
