"""One control group per lab host: the kernel's own, exact list of the host's processes.

A process cannot leave it and a dead host cannot seem alive, so no process id is recorded that
another process might inherit. `kill` ends all of them at once, as pulling the plug does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from keybuzz.lab.hosts.process import succeeds
from keybuzz.model.core.errors import KbzError

_CONTROLLERS = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
_NAMED_HIERARCHY = Path("/sys/fs/cgroup/systemd")
_POLL_SECONDS = 0.05


def unified_root(mounts: str) -> Path:
    """Return where cgroup2 is mounted, from the text of /proc/self/mounts.

    It is /sys/fs/cgroup under systemd, and a folder of it beside version 1 elsewhere.
    """
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == "cgroup2":
            return Path(fields[1])
    raise KbzError(
        "no cgroup2 file system is mounted",
        where="lab",
        hint="mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The group `<lab>/<host>`: `keeper` holds what starts the host, `machine` the host itself."""

    root: Path
    lab: str
    host: str

    @property
    def path(self) -> Path:
        """The group itself."""
        return self.root / self.lab / self.host

    @property
    def _named(self) -> tuple[Path, ...]:
        # Where version 1 is in use, nspawn also looks at the hierarchy that is named after systemd.
        if not (_NAMED_HIERARCHY / "cgroup.procs").exists():
            return ()
        return (_NAMED_HIERARCHY / self.lab / self.host,)

    def create(self) -> tuple[Path, ...]:
        """Create the group; return the `cgroup.procs` files that the host's start must write to.

        One that is left from a host that was killed is made new: the kernel counts the kills of a group, and ends what
        systemd 257 clones into a child that has another count.
        """
        if not self.populated():
            self._delete()
        for parent in (self.root, self.root / self.lab, self.path):
            parent.mkdir(parents=True, exist_ok=True)
            _delegate(parent)
        machines = tuple(place / "machine" for place in (self.path, *self._named))
        for folder in (self.path / "keeper", *machines):
            folder.mkdir(parents=True, exist_ok=True)
        return tuple(folder / "cgroup.procs" for folder in machines)

    def populated(self) -> bool:
        """Return whether any process of the host lives."""
        try:
            events = (self.path / "cgroup.events").read_text()
        except FileNotFoundError:
            return False
        return "populated 1" in events.splitlines()

    def members(self, part: str) -> tuple[int, ...]:
        """Return the process ids directly in a part, such as `machine/supervisor`."""
        try:
            text = (self.path / part / "cgroup.procs").read_text()
        except OSError:
            return ()
        return tuple(int(line) for line in text.split())

    def all_members(self) -> tuple[int, ...]:
        """Return the ids of every process of the host."""
        folders = [file.parent.relative_to(self.path) for file in self.path.rglob("cgroup.procs")]
        return tuple(pid for folder in folders for pid in self.members(str(folder)))

    def wait_empty(self, seconds: float) -> bool:
        """Wait until the host has no process any more; False when some are left after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.populated():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def kill(self) -> None:
        """End every process of the host at once, without a word; returns when all are gone."""
        if self.path.is_dir():
            (self.path / "cgroup.kill").write_text("1")
        if not self.wait_empty(20):
            raise KbzError("processes do not end after a kill", where=self.host)

    def remove(self) -> None:
        """Remove the empty group, and the lab's when this was its last host."""
        self._delete()
        for place in (self.path, *self._named):
            if place.parent.is_dir():
                succeeds(["rmdir", "--ignore-fail-on-non-empty", place.parent])

    def _delete(self) -> None:
        for place in (self.path, *self._named):
            if place.is_dir():
                succeeds(["find", place, "-depth", "-type", "d", "-delete"])


def control_group(lab: str, host: str) -> ControlGroup:
    """Return the host's group on this machine, which may not exist yet."""
    return ControlGroup(unified_root(Path("/proc/self/mounts").read_text()), lab, host)


def group_names(lab: str) -> tuple[str, ...]:
    """Return the names of the groups that a lab has, sorted; they may have no process any more."""
    folder = control_group(lab, "").path
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))


def _delegate(group: Path) -> None:
    """Let children use the controllers that version 2 has here; none where version 1 took them."""
    available = set((group / "cgroup.controllers").read_text().split()) & _CONTROLLERS
    enabled = set((group / "cgroup.subtree_control").read_text().split())
    wanted = " ".join(f"+{name}" for name in sorted(available - enabled))
    if wanted:
        (group / "cgroup.subtree_control").write_text(wanted)
