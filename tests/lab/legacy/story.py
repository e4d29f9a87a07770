"""What is told of every old deployment alike: it is looked at, taken over, and converged while an application writes.

The tests of a file build on each other, in the order of the file; each file says what its service is to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.lab.legacy.daemons import Counters
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    foretold_restarts,
    interrupted,
    running,
)
from tests.lab.support.endpoints import Applications, Endpoint
from tests.lab.support.writing import Written, writing


@dataclass(frozen=True)
class Story:
    """One service, its entry with it."""

    modules: tuple[str, ...]
    """In the order in which they are brought over: an entry that knows where to lead, before a leader moves."""
    taken: Mapping[str, tuple[str, ...]]
    """By module the credentials that are taken over, as adopt tells it."""
    stays: str
    """What the owner keeps: an item of drift."""
    members: tuple[str, ...]
    """Hosts that hold its data."""
    filled: int
    """How much was put in, at least."""
    content: Callable[[OldFleet, str], tuple[int, str]]
    """How much of the old data a member has, and a checksum of it."""
    counters: Callable[[OldFleet], Counters]
    applications: tuple[Endpoint, ...]
    """All of them are written to at once."""
    left: str = ""
    """What the owner takes away by hand afterwards: a part of the item that drift has of it."""

    @property
    def data(self) -> str:
        """The module that holds the data."""
        return self.modules[-1]


@contextmanager
def all_writing(
    applications: Applications, endpoints: tuple[Endpoint, ...]
) -> Iterator[dict[str, Written]]:
    """Write through several endpoints at once, each with the promise of `writing`; yields what each acknowledged."""
    with ExitStack() as stack:
        for endpoint in endpoints:
            applications.put(endpoint, 0)  # makes its table, queue or folder
        yield {one.name: stack.enter_context(writing(applications, one)) for one in endpoints}


def assert_served(written: Mapping[str, Written]) -> None:
    """See that applications were served most of the time that it took, at the pace that this machine has."""
    shares = {
        name: f"{one.served:.2f} of the time, {len(one)} writes" for name, one in written.items()
    }
    print(shares)
    assert all(one.served > 0.25 for one in written.values()), shares


class Look:
    """Before anything is changed."""

    story: ClassVar[Story]
    taking: ClassVar[int] = 0
    """The exit code of taking over: 2 where a credential is named that no host holds."""

    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        story = self.story
        before = story.counters(old)
        found = old.foretold(*story.modules)
        old.looked("plan", *story.modules, "--limit", old.limit)
        old.looked("drift", *story.modules, "--limit", old.limit)
        assert story.counters(old) == before
        for module in story.taken:
            assert found[module]["refusals"]

    def test_a_run_refuses_other_credentials_and_writes_nothing(self, old: OldFleet) -> None:
        for module in self.story.taken:
            refused = old.looked(*old.lifted(module), codes=(3,))
            assert f"kbz adopt {module} --take-credentials" in refused.stdout + refused.stderr

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        for module, names in self.story.taken.items():
            words = ("adopt", module, "--take-credentials", "--confirm", module)
            told = old.looked(*words, codes=(self.taking,)).stdout
            for name in names:
                assert f"take {name}" in told
        assert old.refusals(*self.story.modules) == []

    @pytest.mark.long
    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        """By a site of its own, whose policies.yaml may be edited."""
        accepted_once_and_quiet(old, self.story.data, self.story.stays)


class Converge:
    """From what is there to the description."""

    story: ClassVar[Story]

    def test_member_by_member_behind_the_gates_nothing_is_lost(self, old: OldFleet) -> None:
        story = self.story
        before, data = running(old), story.content(old, story.members[0])
        assert data[0] >= story.filled
        foretold = foretold_restarts(old.foretold(*story.modules))
        applications = Applications(old.kbz)
        with all_writing(applications, story.applications) as written:
            for module in story.modules:
                done = old.kbz.good(*old.lifted(module), timeout=1800)
                old.untold(done.stdout + done.stderr)
                self.ran(old, module, done.stdout + done.stderr)
        assert_served(written)
        assert interrupted(before, running(old)) == foretold
        assert {story.content(old, host) for host in story.members} == {data}

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", *self.story.modules, "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        strays = old.strays(*self.story.modules)
        left = {item for item in strays if self.story.left and self.story.left in item}
        assert strays - left == set()
        for module in self.story.modules:
            assert old.foretold(module)[module]["differences"] == []

    def ran(self, old: OldFleet, module: str, told: str) -> None:
        """See what one service says of a run besides."""
