"""Before a run changes anything, the images that it would pull are asked for; a missing one is a hard stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import tasks
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.images.image_lint import unlisted
from keybuzz.engine.images.registry import Registry
from keybuzz.engine.images.versions import Status, chosen, exit_code, require_pullable, verify
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.host.docker import Image
from keybuzz.site.site import Site
from tests.unit.support.site_values import memory_site, with_parameters

REDIS = "redis:7.2.5-alpine"
DIGEST = "sha256:" + "a" * 64
PINNED = f"{REDIS}@{DIGEST}"


class Known(Registry):
    """Knows some tags, or does not answer."""

    def __init__(self, tags: dict[str, str], *, answers: bool = True) -> None:
        self.where = "the test's registry"
        self.known = tags
        self.answers = answers
        self.asked: list[str] = []

    def digest(self, reference: str) -> str | None:
        self.asked.append(reference)
        if not self.answers:
            raise ContactError("does not answer", where=self.where)
        return self.known.get(reference)

    def tags(self, reference: str) -> tuple[str, ...]:
        return ("7.2.4-alpine", "7.2.6-alpine")


def plan(*images: Image) -> Plan:
    hosts = ("redis-01", "redis-02")
    changes = {
        host: tuple(Change(host, "redis", image, Action.CREATE) for image in images)
        for host in hosts
    }
    return Plan(changes)


def locked(digest: str) -> Site:
    site = memory_site()
    version = replace(site.versions["redis"], digest=digest)
    settings = replace(
        site.settings, parameters={**site.settings.parameters, "versions.no_digests": "none"}
    )
    return replace(site, versions={**site.versions, "redis": version}, settings=settings)


def test_an_image_is_asked_for_once_however_many_hosts_pull_it() -> None:
    registry = Known({REDIS: DIGEST})
    require_pullable(memory_site(), plan(Image(REDIS)), registry)
    assert registry.asked == [REDIS]


@pytest.mark.parametrize("images", [(), (Image("keybuzz/patroni:16.4-abc", built=True),)])
def test_a_plan_that_pulls_nothing_asks_nobody(images: tuple[Image, ...]) -> None:
    registry = Known({}, answers=False)
    require_pullable(memory_site(), plan(*images), registry)
    assert registry.asked == []


def test_a_missing_tag_stops_proposes_and_takes_nothing_instead() -> None:
    with pytest.raises(
        RefusedError, match=r"has no redis:7\.2\.5-alpine; nothing was changed"
    ) as found:
        require_pullable(memory_site(), plan(Image(REDIS)), Known({}))
    assert "7.2.4-alpine" in found.value.hint
    assert "decide with the owner" in found.value.hint


def test_a_tag_that_is_another_image_than_the_locked_one_stops() -> None:
    moved = Known({REDIS: "sha256:" + "b" * 64})
    with pytest.raises(RefusedError, match="is not the image that was locked"):
        require_pullable(locked(DIGEST), plan(Image(PINNED)), moved)
    require_pullable(locked(DIGEST), plan(Image(PINNED)), Known({REDIS: DIGEST}))


def test_a_locked_image_is_used_by_its_digest_where_digests_count() -> None:
    site = locked(DIGEST)
    assert site.image("redis") == PINNED
    assert unlisted(site, all_modules(), ()) == ()
    lab = with_parameters(site, {"versions.no_digests": "they stand in"})
    assert lab.image("redis") == REDIS


def test_no_answer_is_no_permission() -> None:
    with pytest.raises(ContactError, match="nothing was changed"):
        require_pullable(memory_site(), plan(Image(REDIS)), Known({}, answers=False))


def test_an_image_that_no_host_of_the_site_pulls_is_not_asked_for() -> None:
    """The lab's K3s is a stand-in, so the ingress' images are in no registry of the lab."""
    site = memory_site()
    why = {"image:registry.k8s.io/*": "a stand-in pulls no images"}
    lab = replace(site, settings=replace(site.settings, not_applicable=why))
    others = {v.reference: DIGEST for v in site.versions.values() if "k8s.io" not in v.reference}
    images = chosen(site, ())
    verdicts = verify(lab, (), Known(others), images)
    away = {v.version.name for v in verdicts if v.status is Status.NOT_HERE}
    assert away == {"ingress-nginx", "ingress-nginx-certgen"}
    assert exit_code(verdicts) is ExitCode.GOOD
    assert exit_code(verify(site, (), Known(others), images)) is ExitCode.REFUSED


def test_every_image_of_this_tree_is_listed() -> None:
    """What the lab alone runs is left out: stand-ins, and deployments as they were before kbz."""
    assert unlisted(memory_site(), all_modules(), [Path(tasks.__path__[0])]) == ()
