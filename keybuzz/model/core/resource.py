"""The base of everything that a description can ask for.

A resource never runs anything. It says how to ask a host about itself (`query`), what the answer must be (`wanted`)
and what the agent needs to bring that about (`order`). Planning compares two attribute maps and knows no kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from keybuzz.model.core.content import Template
from keybuzz.model.core.secret import DigestKey, Secret

Value = str | int | bool | None | tuple[str, ...]
"""What an attribute can be: comparable, printable, and the same after a trip through JSON."""

Attributes = Mapping[str, Value]
Json = dict[str, object]


class Resource(ABC):
    """One thing on a host, or inside a cluster, with a desired state."""

    __slots__ = ()

    kind: ClassVar[str]
    credential_proofs: ClassVar[tuple[str, ...]] = ()
    """Attributes that are False where a live service takes another credential than the store's."""

    cluster_of: ClassVar[str] = ""
    """Name of the module whose cluster it changes, where another one describes it: the freeze of that cluster holds."""

    @property
    def credential(self) -> Secret | None:
        """The credential that the attributes in `credential_proofs` are about."""
        return None

    @property
    @abstractmethod
    def name(self) -> str:
        """What the kind calls it: a path, a key, a container's name."""

    @property
    def identity(self) -> str:
        """Stable id within a host, such as `file:/etc/hosts`."""
        return f"{self.kind}:{self.name}"

    @abstractmethod
    def wanted(self, key: DigestKey) -> Attributes:
        """Return the attributes that a converged host answers with."""

    def query(self) -> Json:
        """Return what the agent must know to read it. Only for a frame: a password check needs the password."""
        return {"kind": self.kind, "name": self.name}

    @abstractmethod
    def order(self) -> Json:
        """Return what the agent must know to write it. May hold secrets: only for a frame."""

    def disrupts(self, observed: Attributes) -> bool:
        """Return whether writing it interrupts a service that now runs on the host."""
        del observed
        return False

    def effects(self, observed: Attributes) -> tuple[str, ...]:
        """Return what else writing it does to what runs on the host now, each in a few words."""
        del observed
        return ()

    @property
    def about_member(self) -> str:
        """Host of the cluster that it is about; empty for one that is about none, or about the whole cluster.

        While that host is in maintenance, nothing of it is changed in the cluster, nor told as a difference.
        """
        return ""

    @property
    def application(self) -> str:
        """Name of the application that needs it; empty for the platform's own."""
        return ""

    @property
    def guarded(self) -> bool:
        """True when a wrong value can lock us out: the agent arms a dead-man undo (facts/02)."""
        return False


class Templated(Resource):
    """A resource that is made of a template, by what the template says for the host."""

    __slots__ = ()

    template: Template | None
    """None when it is made."""

    @abstractmethod
    def made_of(self, text: str) -> Self:
        """Return it as the rendered template says."""
