"""What differs between the services in the repository: the source, how its data is taken, read again and opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keybuzz.model.core.reading import Answer, Reading
from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.site import Site


@dataclass(frozen=True, slots=True)
class Source:
    """The member that a backup is taken from."""

    host: str
    address: str
    cluster: str
    """Of which cluster it is; restoring one of another cluster needs its name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One service whose backups lie in the repository."""

    service: str
    name: Callable[[Site], str]
    """What the operator types before a restore."""
    image: str
    """The module whose image holds the service's programs; empty where none is needed."""
    ask: Callable[[Site], tuple[Reading, ...]]
    """A snapshot of the cluster, asked from backup-01; nothing on a site without the service."""
    cluster: Callable[[Site, Mapping[str, Answer]], str]
    """Of which cluster the living members are; empty when they do not say."""
    choose: Callable[[Site, Mapping[str, Answer]], Source]
    """The member to take from. Raises RefusedError where none is fit."""
    fill: Callable[[Site, Source, str, str], tuple[Work, ...]]
    """From a source, with an image, into an empty folder."""
    prove: Callable[[str, str], tuple[Work, ...]]
    """That the files of a folder are whole, by the image's programs, and hold what was counted when they were taken.

    The first proof counts. Exit 65 means damage.
    """
    serve: Callable[[Place, str], tuple[Work, ...]]
    """A server of the restored files, without a network, which holds what was counted; nothing where files are all."""
    opened: Callable[[Place], tuple[str, ...]]
    """How the operator looks at it afterwards: a command on the host."""
    container: bool = True
    """A restore leaves a server."""
    sources: Callable[[Site], frozenset[str]] = lambda site: frozenset()
    """Hosts on which taking it runs programs."""
