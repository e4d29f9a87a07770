"""How a module backs up a service: what backups there are, and what takes, proves and restores one. Pure values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from keybuzz.model.core.reading import Answer, Reading
from keybuzz.site.site import Site


@dataclass(frozen=True, slots=True)
class Outflow:
    """A program on another host, without a shell, whose output is the input of a Work."""

    host: str
    argv: tuple[str, ...]
    stdin: str = ""
    silence: float = 900.0
    """Seconds without a word, on either of its streams, after which it is ended, and has failed."""


@dataclass(frozen=True, slots=True)
class Work:
    """One program that a backup or a restore runs on the archive's host, without a shell."""

    name: str
    """What it does, as progress shows it."""
    argv: tuple[str, ...]
    seconds: float = 3600.0
    stdin: str = ""
    needed: bool = True
    """False where what follows goes on without it."""
    brings: Callable[[], Iterable[bytes]] | None = None
    """Its input instead, read on the controller when it begins."""
    of: Outflow | None = None
    """Its input instead, as another host's program prints it; where that fails, this has failed too."""
    unfit: Callable[[Mapping[str, Answer]], str] | None = None
    """From the archive's questions, asked once more just before it: why it must not run; empty where it may."""
    tidies: bool = False
    """True where it is run last however the others end: it takes away what they have laid out."""


class DamagedListError(ValueError):
    """The list of the backups cannot be read; the next backup or restore makes it again."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One backup of a service."""

    id: str
    good: bool
    """It was taken whole; what verification says is `wrong`."""
    state: str
    """In the words of what took it."""
    began: float
    ended: float
    """Seconds since the epoch."""
    size: int
    """Bytes."""
    verified: float = 0.0
    """When it was last found whole; 0 when it never was looked at."""
    wrong: str = ""
    """Why it must not be restored; empty when nothing is known against it."""
    foreign: str = ""
    """Of which other cluster than the living one it is; empty for its own. It is restored only when it is named."""

    @property
    def against(self) -> str:
        """Why it is not chosen unless it is named; empty when nothing speaks against it."""
        return "; ".join(filter(None, (self.wrong, self.foreign)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a restore goes on the host of the backups: a folder, and the server that reads it."""

    folder: str
    container: str = ""
    """Empty where no server is started."""

    @property
    def begun(self) -> str:
        """A file: kbz has begun to fill the folder."""
        return f"{self.folder}.begun"

    @property
    def done(self) -> str:
        """A file: the restore is complete."""
        return f"{self.folder}.done"

    @property
    def leaves(self) -> str:
        """What a restore leaves, in words: all that must be taken away before another."""
        server = f"the container {self.container}, " if self.container else ""
        return f"{server}the folder {self.folder} and the file {self.done}"


@dataclass(frozen=True, slots=True)
class Archive:
    """How the data of one service is backed up, and where that lies."""

    service: str
    """What the operator names, such as `postgres`."""
    name: Callable[[Site], str]
    """What the operator types before a restore: the cluster's name."""
    image: str
    """The module whose image holds the programs that read the data; empty where none is needed."""
    ask: Callable[[Site], tuple[Reading, ...]]
    """What backups there are, and of which cluster; nothing on a site without the service."""
    copies: Callable[[Site, Mapping[str, Answer]], tuple[Copy, ...]]
    """From the answers, the oldest first. Raises ValueError with the reason when they do not say.

    DamagedListError where they say it in a list that the next backup makes again.
    """
    take: Callable[[Site, Mapping[str, Answer], str], tuple[Work, ...]]
    """From the same answers, and the image. Raises RefusedError where no member is fit to be the source."""
    verify: Callable[[Site, str, str], tuple[Work, ...]]
    """By a backup's id and the image."""
    damaged: Callable[[int | None, str], bool]
    """By the exit code (None: its time ran out) and the last words of a verification that failed: it found damage."""
    mark: Callable[[Site, str, str], Work]
    """Notes what the verification of a backup found, in a few words; nothing when it is whole."""
    place: Place
    """Where `kbz restore` brings the data: its folder must not be there."""
    scratch: Place
    """Where `kbz drill restore` brings it, and takes it away again."""
    away: Callable[[Place], Work]
    """Takes away what a drill has left in its own place."""
    free: Callable[[Place], Work]
    """Ends well while nothing is in the way; else it prints what is."""
    restore: Callable[[Site, Place, str, str, str], tuple[Work, ...]]
    """By a backup's id, the time to reach (empty: the last that there is), and the image."""
    reached: Callable[[Site, Place], Work]
    """Prints the last time that the restored data holds."""
    opened: Callable[[Site, Place], tuple[str, ...]]
    """How the operator comes in there afterwards: a command on the host."""
    relist: Callable[[Site], Work] | None = None
    """Makes a damaged list again from what is there; None where there is no such list."""
    sources: Callable[[Site], frozenset[str]] = lambda site: frozenset()
    """Hosts on which taking it runs programs: their leases are held meanwhile."""
