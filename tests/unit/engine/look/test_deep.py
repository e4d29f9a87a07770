"""The probe of `kbz health --deep`: it leaves nothing behind, whatever happens on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look import deep
from keybuzz.engine.look.deep import PLACE, probe
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import DRILL_PLACE, Workload
from keybuzz.policy.context import context_of
from keybuzz.site.drill import NotSentError, UnconfirmedError
from tasks.redis.service import REDIS
from tests.unit.support.site_values import PLANTED, memory_site

WORKLOAD = Workload(REDIS, "10.0.0.10", 6379, "", Secret("P", "needle"), place=PLACE)


class Service:
    """Keeps numbers, as a service does, and fails at one operation when it is told to."""

    def __init__(
        self, there: set[int] | None = None, fails: str = "", forgets: bool = False
    ) -> None:
        self.there, self.fails, self.forgets = there, fails, forgets
        self.closed = False

    def _at(self, operation: str) -> None:
        if operation == self.fails:
            raise UnconfirmedError(f"no answer to {operation}")

    def prepare(self) -> None:
        self._at("prepare")
        self.there = set()

    def write(self, number: int) -> None:
        assert self.there is not None
        if not self.forgets:
            self.there.add(number)
        self._at("write")

    def read(self) -> frozenset[int]:
        if self.there is None:
            raise UnconfirmedError("no such table")
        self._at("read")
        return frozenset(self.there)

    def remove(self) -> None:
        self.there = None

    def close(self) -> None:
        self.closed = True


def tried(service: Service, monkeypatch: pytest.MonkeyPatch) -> tuple[Level, str]:
    monkeypatch.setattr(deep, "client_of", lambda workload: service)
    found = probe("redis", WORKLOAD)
    assert found.check == "redis.probe"
    assert service.closed
    return found.level, found.message


def test_a_probe_says_where_it_went_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    level, text = tried(service, monkeypatch)
    assert level is Level.OK
    assert text.startswith("written, read back and removed through 10.0.0.10:6379 in ")
    assert "left" not in text
    assert service.there is None


def test_what_a_killed_probe_left_is_removed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service({7})
    level, text = tried(service, monkeypatch)
    assert level is Level.OK
    assert text.endswith("what an earlier probe had left was removed too")
    assert service.there is None


@pytest.mark.parametrize("operation", ["prepare", "write", "read"])
def test_a_failure_in_the_middle_is_critical_and_leaves_nothing(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(fails=operation)
    level, text = tried(service, monkeypatch)
    assert (level, text) == (Level.CRITICAL, f"through 10.0.0.10:6379: no answer to {operation}")
    assert service.there is None


def test_an_acknowledged_write_that_is_not_there_is_critical(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    level, text = tried(Service(forgets=True), monkeypatch)
    assert level is Level.CRITICAL
    assert "confirmed is not there" in text


def test_an_endpoint_that_nobody_can_reach_is_critical(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()

    def refuse() -> None:
        raise NotSentError("connection refused")

    monkeypatch.setattr(service, "read", refuse)
    level, text = tried(service, monkeypatch)
    assert (level, text) == (Level.CRITICAL, "through 10.0.0.10:6379: connection refused")


def test_a_missing_library_is_unknown_and_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(workload: Workload) -> None:
        raise RefusedError("the library redis is not installed", where="", hint="pip install …")

    monkeypatch.setattr(deep, "client_of", refuse)
    found = probe("redis", WORKLOAD)
    assert found.level is Level.UNKNOWN
    assert "not installed" in found.message


def test_every_probe_goes_to_an_official_endpoint_in_a_place_of_its_own() -> None:
    site = memory_site()
    probed = {module.name: module.probe(site) for module in all_modules() if module.probe}
    assert set(probed) >= {"patroni", "redis", "rabbitmq", "minio", "galera"}
    official = {str(found.address) for found in context_of(site, date(2026, 1, 1)).endpoints}
    assert "10.0.0.134" in official  # MinIO's one entry (MIN-5)
    assert {workload.address for workload in probed.values()} <= official
    assert PLACE != DRILL_PLACE
    for workload in probed.values():
        assert PLANTED not in repr(replace(workload, place=PLACE))
