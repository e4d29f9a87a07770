"""A service whose backups lie in the repository of backup-01, as the tests of it use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab.conftest import Done, Kbz

HOST = "backup-01"
STORE = "/opt/keybuzz/backup/store"
RESTORED = "/opt/keybuzz/backup/restored"


@dataclass(frozen=True)
class BackedUp:
    """The verbs on one service's backups."""

    kbz: Kbz
    service: str
    name: str
    """What a restore wants to have typed."""

    def listed(self) -> list[dict[str, Any]]:
        """Return the backups, the oldest first."""
        document = self.kbz.good("backup", "list", self.service, "--json").json()
        found: list[dict[str, Any]] = document["backups"]
        return found

    def taken(self) -> list[dict[str, Any]]:
        """Take a backup, and return what is new in the list."""
        before = {item["id"] for item in self.listed()}
        self.kbz.good("backup", "run", self.service)
        return [item for item in self.listed() if item["id"] not in before]

    def restore(self, *words: str) -> Done:
        """Restore it, with the name typed."""
        return self.kbz("restore", self.service, "--json", *words, "--confirm", self.name)

    def take_away(self) -> None:
        """Remove what a restore left, as its page says."""
        place = f"{RESTORED}/{self.service}"
        server = f"docker rm --force --volumes kbz-restored-{self.service}"
        self.kbz.on(HOST, f"{server} >/dev/null 2>&1; rm -r {place} {place}.done")

    def damage(self) -> None:
        """Change a byte in the middle of each pack of the repository's data."""
        self.kbz.on(
            HOST,
            f"for file in $(find {STORE}/repository/data -type f); do chmod u+w $file; "
            "printf X | dd of=$file bs=1 seek=40 conv=notrunc status=none; done",
        )

    def require_unseen(self, lines: set[bytes], *files: str) -> None:
        """Insist that the command lines of a backup at work show no secret of these files of the store.

        The environment of restic and of a service's client holds one for as long as they run: docs/backups.md says so.
        """
        values = self.secrets(*files)
        assert values
        assert any(b"restic\0" in line for line in lines), "nothing was seen at work"
        assert not [line for line in lines for value in values if value.encode() in line]

    def secrets(self, *files: str) -> list[str]:
        """Return the secret values of some files of the store."""
        lines = [
            line.partition("=")
            for file in files
            for line in (self.kbz.root / "credentials" / file).read_text().splitlines()
        ]
        wanted = ("PASS", "KEY")
        return [value.strip("'\"") for name, _, value in lines if any(w in name for w in wanted)]
