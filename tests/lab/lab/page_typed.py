"""The page of the first installation, typed as an operator would, over servers of the lab."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.conftest import REPOSITORY, Done
from tests.unit.support.docs_commands import lines

PAGE = REPOSITORY / "docs" / "how-to" / "first-installation.md"
KEY = "/root/.ssh/keybuzz_infra"
OF_A_FEW = {
    "hosts ping": ("--limit",),
    "preflight": ("--limit",),
    "plan": ("--limit",),
    "status": ("--limit",),
    "health": ("--limit",),
}
"""Verbs that mean the whole fleet when nothing is said."""
LAB_SAYS = {"versions lock": 3}
"""What ends otherwise in a lab: its images stand in for the frozen ones, and their digests are nobody's."""


def typed() -> Iterator[list[str]]:
    """Yield the words of each line of the page, in its order."""
    for _, line in lines(PAGE):
        yield shlex.split(line)


@dataclass(frozen=True)
class Rehearsal:
    """Where the page is typed."""

    kbz: Callable[..., Done]
    on: Callable[[str, str], str]
    """Runs a script on a server, past SSH: the provider's console."""
    folder: Path
    hosts: tuple[str, ...]
    limit: str
    """The term of the servers that are meant; `all` is the page as it stands."""
    codes: Mapping[str, int]
    """How a verb ends where that is not 0."""

    def go(self) -> list[str]:
        """Type every line; return the verbs of kbz that were run."""
        run: list[str] = []
        for words in typed():
            if words[0] == "ssh-keygen":
                self._make_key([word.replace(KEY, str(self.key)) for word in words])
            elif words[0] == "kbz":
                run.append(self._kbz(words[1:]))
            else:
                assert words == ["scripts/setup"]
        return run

    @property
    def key(self) -> Path:
        """The private key that the page makes."""
        return self.folder / "keybuzz_infra"

    @property
    def authorized(self) -> str:
        """The line that lets it in."""
        return self.key.with_suffix(".pub").read_text(encoding="utf-8").strip()

    def _make_key(self, words: list[str]) -> None:
        subprocess.run(words, check=True)
        fingerprints = self.folder / "keys.txt"
        found = []
        for host in self.hosts:
            self.on(host, f"echo {shlex.quote(self.authorized)} >> /root/.ssh/authorized_keys")
            shown = self.on(host, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()
            found.append(f"{host} {shown[1]}\n")
        fingerprints.write_text("".join(found), encoding="utf-8")

    def _kbz(self, words: list[str]) -> str:
        verb = (
            " ".join(words[:2]) if words[0] in ("hosts", "secrets", "versions", "lb") else words[0]
        )
        if "install" in words:
            verb = f"{words[0]} install"
        done = self.kbz(*self._meant(verb, words), timeout=3600)
        wanted = self.codes.get(verb, LAB_SAYS.get(verb, 0))
        assert done.code == wanted, (
            f"kbz {shlex.join(words)}: {done.code}\n{done.stdout}\n{done.stderr}"
        )
        return verb

    def _meant(self, verb: str, words: list[str]) -> list[str]:
        """Return the words for the servers that are there, and files below the rehearsal's folder."""
        here = [str(self.folder / word) if word == "keys.txt" else word for word in words]
        if verb.endswith(" install"):
            here += ["--into", str(self.folder / "machine")]
        if self.limit == "all":
            return here
        if "--all" in here:
            here.remove("--all")
            return [*here, "--limit", self.limit]
        if "--limit" in here:
            here[here.index("--limit") + 1] = self.limit
        elif verb in OF_A_FEW:
            here += ["--limit", self.limit]
        return here
