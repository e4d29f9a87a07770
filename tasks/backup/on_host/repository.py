"""The restic repository of backup-01: takes a service's files in, lays them out again, and lists what there is.

It runs on backup-01. The first line of its input is the repository's key, which goes on in the environment of restic
alone. What is in the repository is listed in a file next to it, made again from the repository's own list after each
backup, so that looking needs neither the key nor a process.

Exit codes: 0 good; 65 what lies there is damaged; 1 anything else, which says nothing of the backups.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

DAMAGED = 65
_PART = 3
"""How `restic backup` ends that could not read all files: it has kept the others."""
MANIFEST = "kbz.manifest.json"
COUNTS = "kbz.counts.json"
"""Written by the proof of a service's files: what is in them, by name."""
_DAMAGE = re.compile(
    r"ciphertext verification failed|invalid data returned|hash mismatch|wrong hash|does not match|"
    r"blob .* not found|not found in (the )?(index|repository)|cannot be (read|loaded)|"
    r"no matching ID found|<data/\w+>.*no such file or directory|unexpected EOF|decrypt",
    re.IGNORECASE,
)
_MORE = 1.2
"""Part of the newest copy's size that must be free: the data grows, and its proof writes beside it."""
_WAL_PART, _WAL_MOST = 20, 8 << 30
"""What stays free besides, since Barman receives WAL on the same volume: one part of so many, and no more bytes."""
_NO_DAMAGE = re.compile(r"no space left|wrong password|unable to create lock|cannot allocate", re.I)
"""What ends restic and says nothing of what lies in the repository.

Its exit code is 1 in every case, and it also says `no such file or directory` of the place that it restores into.
"""


class WorkError(Exception):
    """It cannot be done; the text says why."""


class PartError(WorkError):
    """Only a part of the files is in the repository."""


class DamageError(Exception):
    """What lies in the repository is not what was put there."""


class Repository:
    """The repository below one folder."""

    def __init__(self, root: Path, key: str) -> None:
        """Take the folder of the repository, its list and what is being put in."""
        self.root = root
        self.folder = root / "repository"
        self.listed = root / "catalogue.json"
        # Outside of the volume: what tells a disk that is not mounted from one that is new.
        self.made = root.parent.with_name(f"{root.parent.name}.repository")
        self._key = key

    def staging(self, service: str) -> Path:
        """Return where a service's files lie until they are in the repository."""
        return self.root / "staging" / service

    def _begun(self, service: str) -> Path:
        return self.root / "staging" / f"{service}.begun"

    def begin(self, service: str) -> None:
        """Make an empty place for a service's files, and the repository where there is none yet.

        What a backup or verification that was cut off has left goes, of any service: none of it is in the repository,
        and no other is at work, since kbz holds this host's lease. WorkError where there is no room for another copy.
        """
        if shutil.which("restic") is None:
            raise WorkError("restic is not installed here; kbz run backup installs it")
        self._require_disk()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.root / "staging", self.root / "verify"):
            shutil.rmtree(folder, ignore_errors=True)
        (self.root / "staging").mkdir(mode=0o700, exist_ok=True)
        sizes = [one.get("size", 0) for one in self._listed() if one.get("service") == service]
        _require_room(self.root, sizes[-1] if sizes else 0)
        self.staging(service).mkdir(mode=0o700)
        self._begun(service).touch()
        if not (self.folder / "config").exists():
            if any(self.folder.glob("data/*/*")):
                raise WorkError(
                    f"{self.folder} holds data and no config: it is damaged, or another's"
                )
            shutil.rmtree(self.folder, ignore_errors=True)  # an init that was cut off
            self.restic("init")
        self.made.write_text(f"{self.folder}\n", encoding="utf-8")
        self.restic("unlock")  # of processes that are gone; a lock that is held stays

    def _require_disk(self) -> None:
        """Raise where a repository was made here once and is gone: another one would hide that."""
        if self.made.exists() and not self.folder.exists():
            raise WorkError(
                f"{self.folder} had a repository and has none: is its disk mounted? "
                f"Where it is gone for good, remove {self.made}, and the next backup makes a new one"
            )

    def keep(self, service: str, cluster: str, source: str) -> None:
        """Put the files of a service into the repository, with a manifest of what they are."""
        staging = self.staging(service)
        _require_plain(staging)
        # The data is of no earlier time than this.
        began, ended = self._begun(service).stat().st_mtime, time.time()
        counts = _json(staging / COUNTS) if (staging / COUNTS).exists() else {}
        taken = [
            path for path in sorted(staging.rglob("*")) if path.is_file() and path.name != MANIFEST
        ]
        files = {
            str(path.relative_to(staging)): {"sha256": _digest(path), "size": path.stat().st_size}
            for path in taken
        }
        if not any(name != COUNTS for name in files):
            raise WorkError("nothing was taken")
        manifest = {
            "format": 1,
            "service": service,
            "cluster": cluster,
            "source": source,
            "began": began,
            "ended": ended,
            "counts": counts,
            "files": files,
        }
        (staging / MANIFEST).write_text(json.dumps(manifest, sort_keys=True), encoding="utf-8")
        size = sum(path.stat().st_size for path in taken)
        told = {
            "service": service,
            "cluster": cluster,
            "source": source,
            "began": f"{began:.3f}",
            "ended": f"{ended:.3f}",
            "size": str(size),
        }
        tags = [word for name in told for word in ("--tag", f"{name}={quote(told[name], safe='')}")]
        try:
            self.restic("backup", "--host", "kbz", *tags, str(staging))
        except PartError:
            self._drop(told)
            raise
        self.list()
        shutil.rmtree(staging)

    def _drop(self, told: dict[str, str]) -> None:
        """Remove what restic has kept of files of which it could not read all: it looks like a whole backup."""
        for snapshot in json.loads(self.restic("snapshots", "--json", "--no-lock")) or []:
            if {f"{name}={quote(told[name], safe='')}" for name in told} <= set(
                snapshot["tags"] or ()
            ):
                self.restic("forget", str(snapshot["id"]))

    def forget(self, service: str, last: int, daily: int, weekly: int, monthly: int) -> None:
        """Remove what the retention does not keep of a service.

        Nothing is removed while one of the newest is damaged: restic would count it as kept, in place of a good one.
        """
        listed = [copy for copy in self._before()["copies"] if copy.get("service") == service]
        if any(copy.get("wrong") for copy in listed[-last:]):
            return
        keep = (
            *("--keep-last", str(last), "--keep-daily", str(daily)),
            *("--keep-weekly", str(weekly), "--keep-monthly", str(monthly)),
        )
        self.restic("forget", "--prune", "--tag", f"service={quote(service)}", *keep)
        self.list()

    def list(self) -> None:
        """Write what is in the repository into the file that is looked at; what was noted of a backup stays."""
        before = self._before()
        known = {copy["id"]: copy for copy in before["copies"]}
        copies = []
        for snapshot in json.loads(self.restic("snapshots", "--json", "--no-lock")) or []:
            copy = _copy(snapshot)
            noted = known.get(copy["id"], {})
            copies.append(
                {**copy, "verified": noted.get("verified", 0.0), "wrong": noted.get("wrong", "")}
            )
        copies.sort(key=lambda copy: copy["ended"])
        self._write({**before, "copies": copies})

    def note(self, copy: str, wrong: str) -> None:
        """Note what a verification found: nothing for a good end."""
        catalogue = self._catalogue()
        for known in catalogue["copies"]:
            if known["id"] == copy:
                known["wrong"] = wrong
                known["verified"] = known["verified"] if wrong else time.time()
        self._write(catalogue)

    def restored(self, service: str) -> None:
        """Note that a backup of a service was restored and found whole, now."""
        catalogue = self._catalogue()
        self._write({**catalogue, "restored": {**catalogue["restored"], service: time.time()}})

    def fetch(self, copy: str, service: str, target: Path) -> None:
        """Lay a backup's files out in a folder that is made for it, and compare each with the manifest."""
        inside = self.staging(service)
        partial = target.with_name(f"{target.name}.partial")
        for folder in (target, partial):
            shutil.rmtree(folder, ignore_errors=True)
        # restic restores nothing past the exclusive lock of a killed `forget`.
        self.restic("unlock")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sizes = [one.get("size", 0) for one in self._listed() if one.get("id") == copy]
        _require_room(target.parent, sizes[-1] if sizes else 0)
        self.restic("restore", copy, "--target", str(partial), "--include", str(inside))
        laid = partial / inside.relative_to("/")
        if not laid.is_dir():
            raise DamageError(f"it holds no files of {service}")
        whole(laid, service)
        laid.chmod(0o700)
        laid.replace(target)
        shutil.rmtree(partial)

    def restic(self, *words: str) -> str:
        """Run restic and return what it prints; DamageError where it finds the repository damaged."""
        command = ("restic", "--quiet", "--no-cache", "--repo", str(self.folder), *words)
        done = subprocess.run(
            command,
            env={**os.environ, "RESTIC_PASSWORD": self._key},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        said = " | ".join(line for line in done.stderr.splitlines()[-3:] if line.strip())
        text = f"restic {words[0]}: {said or f'exit {done.returncode}'}"
        if words[0] == "backup" and done.returncode == _PART:
            raise PartError(text)
        damaged = done.returncode == 1 and words[0] == "restore" and _DAMAGE.search(done.stderr)
        there = (self.folder / "config").exists()  # else the disk is not mounted
        if damaged and there and not _NO_DAMAGE.search(done.stderr):
            raise DamageError(text)
        raise WorkError(text)

    def _catalogue(self) -> dict[str, Any]:
        empty = {"format": 1, "since": time.time(), "copies": [], "restored": {}}
        return _json(self.listed) if self.listed.exists() else empty

    def _before(self) -> dict[str, Any]:
        """Return what was listed before; a list that cannot be read is put aside, and nothing was listed.

        The repository itself says what is in it. Lost is what was noted of it: verifications and restores.
        """
        try:
            found = self._catalogue()
            _require_list(found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, WorkError):
            self.listed.replace(self.listed.with_suffix(".broken"))
            return self._catalogue()
        return found

    def _listed(self) -> tuple[dict[str, Any], ...]:
        """Return the copies that are listed, the oldest first; none where the list cannot be read."""
        try:
            found = self._catalogue()
            _require_list(found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, WorkError):
            return ()
        return tuple(found["copies"])

    def _write(self, catalogue: dict[str, Any]) -> None:
        new = self.listed.with_suffix(".new")
        with new.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(catalogue, sort_keys=True))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.listed)


def _require_room(folder: Path, size: int) -> None:
    """Raise where the volume of a folder has no room for a copy of this size, and for WAL besides."""
    found = shutil.disk_usage(folder)
    needed = int(size * _MORE) + min(found.total // _WAL_PART, _WAL_MOST)
    if found.free < needed:
        raise WorkError(
            f"{folder}: {found.free >> 20} MiB are free and {needed >> 20} MiB are needed, for a copy as large as the "
            f"one that is listed ({size >> 20} MiB) and for WAL: free or add space, then the same command again"
        )


def _require_plain(folder: Path) -> None:
    """Raise where a source has sent anything but files and folders: a link would be followed here, by root."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise WorkError(f"{path.relative_to(folder)} is no plain file; nothing was put in")


def whole(folder: Path, service: str) -> None:
    """Raise DamageError where a folder is not exactly what its manifest says, or is another service's."""
    try:
        manifest = _json(folder / MANIFEST)
        files = dict(manifest["files"])
        of = manifest["service"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamageError(f"its manifest cannot be read: {type(error).__name__}") from error
    if of != service:
        raise DamageError(f"it is a backup of {of}")
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            raise DamageError(f"{name} is missing")
        if _digest(path) != wanted["sha256"]:
            raise DamageError(f"{name} is not what was put there: its checksum differs")


def _copy(snapshot: dict[str, Any]) -> dict[str, Any]:
    told = dict(tag.split("=", 1) for tag in snapshot.get("tags") or [] if "=" in tag)
    words = {name: unquote(value) for name, value in told.items()}
    return {
        "id": str(snapshot["id"])[:16],
        "service": words.get("service", ""),
        "cluster": words.get("cluster", ""),
        "source": words.get("source", ""),
        "began": float(words.get("began", 0)),
        "ended": float(words.get("ended", 0)),
        "size": int(words.get("size", 0)),
    }


def _require_list(found: dict[str, Any]) -> None:
    """Raise where a list is not what `list` writes: then kbz could not read it either."""
    times = [found["since"], *found["restored"].values()]
    for copy in found["copies"]:
        times.append(copy["verified"])
        if not isinstance(copy["id"], str) or not isinstance(copy["wrong"], str):
            raise TypeError("an entry is none")
    if any(isinstance(time, bool) or not math.isfinite(time) for time in times):
        raise ValueError("a time is none")


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise WorkError(f"{path} is no object")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _act(repository: Repository, verb: str, words: list[str]) -> None:
    numbers = [int(word) for word in words[1:]] if verb == "forget" else []
    verbs: dict[str, Callable[[], None]] = {
        "begin": lambda: repository.begin(words[0]),
        "keep": lambda: repository.keep(*words),
        "forget": lambda: repository.forget(words[0], *numbers),
        "fetch": lambda: repository.fetch(words[0], words[1], Path(words[2])),
        "note": lambda: repository.note(words[0], words[1]),
        "restored": lambda: repository.restored(words[0]),
        "list": repository.list,
    }
    verbs[verb]()


def main(key: str, words: list[str]) -> int:
    """Do what the words say, and return the exit code."""
    root, verb, *rest = words
    try:
        _act(Repository(Path(root), key), verb, rest)
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (
        WorkError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        subprocess.SubprocessError,
    ) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0
