"""kbz's own state in the repository: the journal, the digest key, the credentials (`notify` too) and the host keys.

The file with the repository's own key is left out: who reads the backup has it, and it must not lie next to it.

The controller is the source: what is taken is read there when the backup begins.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.credentials.schema import CONTROLLER
from keybuzz.site.site import Settings, Site
from tasks.backup.service import CREDENTIALS
from tasks.backup.store import places
from tasks.backup.store.archive import looks
from tasks.backup.store.service import Source, Stored

JOURNAL = "journal.sqlite"
_PASSED_OVER = frozenset({"images", "leases"})
"""Folders of the state that are made again."""
_OF_THE_KEY = frozenset(one.file for one in CREDENTIALS)
_PIECE = 1 << 20


def gather(settings: Settings) -> Iterable[bytes]:
    """Yield a tar of the state, with the journal as of one moment, also while a command writes to it."""
    with tempfile.TemporaryDirectory() as folder:
        for path in _credentials(settings):
            yield from _piece_by_piece(path, f"credentials/{path.name}")
        for path, name in _state(settings.state):
            yield from _piece_by_piece(path, f"state/{name}")
        journal = settings.state / JOURNAL
        if journal.exists():
            copy = _snapshot(journal, Path(folder) / JOURNAL)
            yield from _piece_by_piece(copy, f"state/{JOURNAL}")
        if settings.known_hosts.exists():
            yield from _piece_by_piece(settings.known_hosts, "known_hosts")
    yield bytes(2 * tarfile.BLOCKSIZE)


def _credentials(settings: Settings) -> Iterator[Path]:
    """Yield the files of the store, and those that receivers of `notify` name, without the repository's own key."""
    names = {path.name for path in settings.credentials.glob("*.env")}
    names |= {receiver.secret_file for receiver in settings.receivers if receiver.secret_file}
    for name in sorted(names - _OF_THE_KEY):
        if (path := settings.credentials / name).exists():
            yield path


def _state(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the plain files of the state folder but for the journal, and their names below it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in _PASSED_OVER or name.name.startswith((JOURNAL, ".")):
            continue
        if path.is_file() and not path.is_symlink():
            yield path, str(name)


def _piece_by_piece(path: Path, name: str) -> Iterator[bytes]:
    """Yield one plain file, readable by root alone, and no more of it at once than a piece.

    RefusedError for one that is made shorter while it is read.
    """
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            return
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = status.st_size, 0o600, int(status.st_mtime)
        yield entry.tobuf(tarfile.GNU_FORMAT)
        left = status.st_size
        while left:
            piece = stream.read(min(left, _PIECE))
            if not piece:
                raise RefusedError(
                    f"{name} was made shorter while it was read",
                    where=str(path),
                    hint="the same command begins again; nothing was backed up",
                )
            left -= len(piece)
            yield piece
    yield bytes(-status.st_size % tarfile.BLOCKSIZE)


def _snapshot(journal: Path, copy: Path) -> Path:
    with (
        closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def ask(site: Site) -> tuple[Reading, ...]:
    """Return a question that is asked anyway: the source is this machine."""
    return looks() if site.members(CONTROLLER) else ()


def cluster(site: Site, answers: Mapping[str, Answer]) -> str:
    """Return a name of the digest key: the journal of another key is another site's."""
    del answers
    return hashlib.sha256(b"kbz backup" + site.digest_key.key).hexdigest()[:16]


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return the controller."""
    if not (site.settings.state / JOURNAL).exists():
        raise RefusedError(
            "there is no journal yet",
            where=str(site.settings.state),
            hint=proposed("kbz", "history"),
        )
    host = site.members(CONTROLLER)[0]
    return Source(host.name, str(host.address), cluster(site, answers))


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how the state goes to backup-01."""
    del image
    settings = site.settings
    return (
        Work(
            f"the state of {source.host}",
            ("tar", "--extract", "--no-same-owner", "--directory", folder, "--file", "-"),
            600.0,
            brings=lambda: gather(settings),
        ),
    )


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return the look whether the journal is whole, and the key and the credentials are there."""
    del image
    return (places.program("the journal is whole", "own_state", "", folder, seconds=600.0),)


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return nothing: the files are all there is."""
    del place, image
    return ()


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    return ("find", place.folder, "-type", "f")


OWN_STATE = Stored(
    service="kbz",
    name=lambda site: site.members(CONTROLLER)[0].name,
    image="",
    ask=ask,
    cluster=cluster,
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
    container=False,
)
