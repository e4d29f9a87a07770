"""The page about adopting, typed line by line over an old Redis while an application writes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from tests.lab.conftest import REPOSITORY, Kbz
from tests.lab.legacy.old_fleet import OldFleet
from tests.lab.legacy.story import all_writing, assert_served
from tests.lab.legacy.test_legacy_redis import HOSTS, STORY
from tests.lab.support.adopting import with_own
from tests.lab.support.endpoints import Applications
from tests.unit.support.docs_commands import lines

pytestmark = [pytest.mark.lab, pytest.mark.long]

PAGE = REPOSITORY / "docs" / "how-to" / "adopt.md"


@pytest.fixture(scope="module")
def old(redis_lab: Kbz) -> Iterator[OldFleet]:
    """What the page's last part builds, on a site whose files may be edited; bare again at the end."""
    site = with_own(redis_lab, "site", "policies")
    made = OldFleet(site, HOSTS, "redis,haproxy")
    made.make_bare()
    for words in typed("lab"):
        if words[1] == "up":
            assert words[2:] == ["--limit", made.limit]
        else:
            made.kbz.good(*words)
    yield made
    made.make_bare()


def typed(*verbs: str) -> Iterator[list[str]]:
    """Yield what the page has after `kbz`, of these verbs, or of all others than the lab's."""
    for _, line in lines(PAGE):
        program, *words = shlex.split(line)
        assert program == "kbz"
        if words[0] in verbs or (not verbs and words[0] != "lab"):
            yield words


def test_every_line_in_its_order_brings_the_old_redis_over(old: OldFleet) -> None:
    data = {host: STORY.content(old, host) for host in STORY.members}
    every = list(typed())
    first = [words[0] for words in every].index("run")
    for words in every[:first]:
        taking = {"--take-credentials", "--take-settings"} & set(words)
        done = old.looked(*words, *(("--confirm", words[1]) if taking else ()))
        print(shlex.join(words), done.code, done.stdout, sep="\n")
    assert old.refusals("redis-proxy", "redis") == []
    with all_writing(Applications(old.kbz), STORY.applications) as written:
        for words in every[first:]:
            done = old.kbz.good(*words, timeout=1200)
            old.untold(done.stdout + done.stderr)
    assert_served(written)
    assert every[-1][0] == "drift"
    assert {host: STORY.content(old, host) for host in STORY.members} == data
