"""Old deployments that a run must not touch: refused with what was found and where, and nothing is written.

What a service has that no other has, such as the identity of its data, its own file makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.lab.conftest import until
from tests.lab.legacy.old_fleet import OldFleet
from tests.lab.legacy.story import Story
from tests.lab.support.endpoints import CLIENT_ERRORS

_OLD = "/srv/kb-old"
_HIDDEN = "/var/kb-hidden"
_DATA = (
    f"find /opt/keybuzz {_OLD} {_HIDDEN} /var/lib/docker/volumes -xdev -type f -not -path '*/status/*'"
    " -printf '%p %i %T@ %C@ %m %U\\n' 2>/dev/null | sort"
)
Made = Callable[[OldFleet], AbstractContextManager[str]]
"""Makes a state, gives what is said of it, and takes the state back."""


@dataclass(frozen=True)
class Ground:
    """Where a service's data lies."""

    kind: str
    containers: tuple[str, ...]
    data: str
    """The folder that is moved."""
    mark: str
    """A shell command that lays down in `$1` the least that such data is known by."""
    half: str
    """What is said of one member of three that is left."""


def refused(old: OldFleet, module: str, *, stopped: bool) -> str:
    """Adopt and run it; see that both refuse it alike and that neither wrote anything; return what the run said.

    Where no daemon runs, no byte of the data may change either.
    """
    before = old.on_each(_DATA) if stopped else {}
    foretold = old.refusals(module)
    done = old.looked(*old.lifted(module), codes=(3,))
    said = " ".join((done.stdout + done.stderr).split())
    assert any(" ".join(what.split()) in said for what in foretold), (foretold, said)
    assert not stopped or old.on_each(_DATA) == before
    return said


@contextmanager
def planted(old: OldFleet, host: str, made: str, back: str) -> Iterator[None]:
    """Make something on one host for the length of a block, and take it back however the block ends."""
    try:
        old.kbz.on(host, f"set -e; {made}")
        yield
    finally:
        old.kbz.on(host, f"set -e; {back}")


class Refused:
    """While the old deployment runs, and what the owner wants was taken over."""

    story: ClassVar[Story]
    ground: ClassVar[Ground]

    def test_data_of_another_cluster(self, old: OldFleet) -> None:
        with self.foreign(old) as expected:
            said = refused(old, self.story.data, stopped=False)
        assert expected in said, said

    def test_data_of_a_newer_format(self, old: OldFleet) -> None:
        with self.newer(old) as expected:
            said = refused(old, self.story.data, stopped=False)
        assert expected in said, said

    def foreign(self, old: OldFleet) -> AbstractContextManager[str]:
        """Make a member hold what another cluster wrote."""
        raise NotImplementedError

    def newer(self, old: OldFleet) -> AbstractContextManager[str]:
        """Make a member hold what a newer release wrote."""
        raise NotImplementedError


class RefusedStopped:
    """While no member runs: the last of the members that went is the first that comes back."""

    story: ClassVar[Story]
    ground: ClassVar[Ground]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _stopped(cls, old: OldFleet) -> Iterator[None]:
        names, members = " ".join(cls.ground.containers), cls.story.members
        before = cls.story.content(old, members[0])
        for host in reversed(members):
            old.kbz.on(host, f"docker stop -t 60 {names}")
        yield
        for host in members:
            old.kbz.on(host, f"docker start {names}")
        until(lambda: cls._has(old, before), 180, "the old deployment serves again")

    @classmethod
    def _has(cls, old: OldFleet, content: tuple[int, str]) -> bool:
        try:
            return {cls.story.content(old, host) for host in cls.story.members} == {content}
        except CLIENT_ERRORS:
            return False

    def test_a_container_of_another_name_has_the_data(self, old: OldFleet) -> None:
        with self.instead(old, self.story.members, self._renamed("", "kb-"), self._back):
            said = refused(old, self.story.data, stopped=True)
        where = f"{self.ground.kind} in {self.ground.data}"
        assert f"another container has its data: {where}" in said, said
        assert f"container kb-{self.ground.containers[0]})" in said, said

    def test_two_generations_of_which_none_serves(self, old: OldFleet) -> None:
        host = self.story.members[-1]
        path = "/var/lib/docker/volumes/kb-old/_data"
        made = f"docker volume create kb-old; set -- {path}; {self.ground.mark}"
        with self.instead(old, [host], made, "docker volume rm kb-old"):
            said = refused(old, self.story.data, stopped=True)
        assert f"{host}: two generations of data are there, and none serves: " in said, said
        assert f"{self.ground.kind} in {path}" in said, said
        assert "volume kb-old)" in said, said

    def test_a_stopped_cluster_under_other_names_and_paths(self, old: OldFleet) -> None:
        """The containers of before stand aside, and others have the data, elsewhere."""
        first, data = self.ground.containers[0], self.ground.data
        made = (
            f"{self._renamed('', 'kb-')}; mkdir {_OLD}; mv {data} {_OLD}/x; mkdir {data};"
            f" docker create --name kb-old -v {_OLD}/x:/data"
            f" $(docker inspect -f '{{{{.Image}}}}' kb-{first}) true"
        )
        back = f"docker rm kb-old; rmdir {data}; mv {_OLD}/x {data}; rmdir {_OLD}; {self._back}"
        with self.instead(old, self.story.members, made, back):
            said = refused(old, self.story.data, stopped=True)
        where = f"{self.ground.kind} in {_OLD}/x"
        assert f"data of another installation is there: {where}" in said, said
        assert "container kb-old)" in said, said

    def test_half_an_old_deployment(self, old: OldFleet) -> None:
        """Of two members nothing is left where it was."""
        data = self.ground.data
        made = f"{self._renamed('', 'kb-')}; mkdir {_HIDDEN}; mv {data} {_HIDDEN}/x"
        back = f"mv {_HIDDEN}/x {data}; rmdir {_HIDDEN}; {self._back}"
        with self.instead(old, self.story.members[1:], made, back):
            said = refused(old, self.story.data, stopped=True)
        assert self.ground.half in said, said

    @contextmanager
    def instead(self, old: OldFleet, hosts: Sequence[str], made: str, back: str) -> Iterator[None]:
        """Make something of what is on some hosts, for the length of a block."""
        for host in hosts:
            old.kbz.on(host, f"set -e; {made}")
        try:
            yield
        finally:
            for host in hosts:
                old.kbz.on(host, f"set -e; {back}")

    @property
    def _back(self) -> str:
        return self._renamed("kb-", "")

    def _renamed(self, now: str, then: str) -> str:
        names = self.ground.containers
        return "; ".join(f"docker rename {now}{name} {then}{name}" for name in names)
