"""Findings about a Patroni cluster, from the documents that Patroni 3.3 and 4.x answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.look.causes import explained
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.patroni import MODULE
from tasks.patroni.checks import checks, not_ready, topology
from tasks.patroni.members import leader, leaders, members, up
from tasks.patroni.values import MAXIMUM_LAG
from tests.unit.tasks.patroni.cluster_world import World, site_of

Json = dict[str, Any]
HOSTS = ("db-1", "db-2", "db-3")
LEADING = {"3.3.0": "master", "4.0.4": "primary", "4.1.0": "primary"}


def own(host: str, version: str, role: str, **more: Any) -> Json:
    """Return what GET /patroni of one member answers."""
    document: Json = {
        "state": "running",
        "postmaster_start_time": "2024-08-28 19:39:26.352526+00:00",
        "role": role,
        "server_version": 160004,
        "xlog": {"received_location": 67420024, "replayed_location": 67420024, "paused": False},
        "timeline": 2,
        "replication_state": "streaming",
        "dcs_last_seen": 1692356718,
        "database_system_identifier": "7268616322854375442",
        "patroni": {"version": version, "scope": "keybuzz-pg", "name": host},
    }
    if role != "replica":
        document["xlog"] = {"location": 67420024}
        del document["replication_state"]
    return {**document, **more}


def seen(host: str, version: str, role: str, **more: Any) -> Json:
    """Return a member's part of GET /cluster."""
    document: Json = {
        "name": host,
        "role": role,
        "state": "running" if role == "leader" else "streaming",
        "api_url": "http://10.0.0.121:8008/patroni",
        "host": "10.0.0.121",
        "port": 5432,
        "timeline": 2,
    }
    if role != "leader":
        document["lag"] = 0
        if version.startswith("4.1"):
            document |= {"receive_lag": 0, "replay_lag": 0, "lsn": "0/4000060"}
    return {**document, **more}


class Cluster:
    """Three members as documents; tests change them."""

    def __init__(self, version: str = "3.3.0") -> None:
        leading = LEADING[version]
        self.own: dict[str, Json | None] = {
            host: own(host, version, leading if host == "db-1" else "replica") for host in HOSTS
        }
        self.members = {
            host: seen(host, version, "leader" if host == "db-1" else "replica") for host in HOSTS
        }
        self.views: dict[str, list[Json]] = {}
        self.unreachable: dict[str, str] = {}
        self.timelines: dict[str, str] = {}
        """What PostgreSQL itself says; "" where it says nothing of it."""
        self.states: dict[str, dict[str, State]] = {host: {} for host in HOSTS}

    def change(self, host: str, **more: Any) -> None:
        self.own[host] = {**(self.own[host] or {}), **more}

    def live(self) -> Live:
        site = site_of(3)
        reachable = [host for host in HOSTS if host not in self.unreachable]
        views = {
            host: HostView(site.server(host), self.states[host], self._answers(host), ())
            for host in reachable
        }
        everyone = site.members("patroni")
        return Live("patroni", everyone, views, self.unreachable, frozenset(HOSTS))

    def _answers(self, host: str) -> Mapping[str, Answer]:
        document = self.own[host]
        if document is None:
            names = ("self", "cluster", "server", "config")
            whole = [f"patroni.{name}" for name in names]
            return {name: Answer(name, problem="Connection refused") for name in whole}
        cluster = {"members": self.views.get(host, [*self.members.values()]), "scope": "keybuzz-pg"}
        return {
            "patroni.self": Answer("patroni.self", {"status": 200, "json": document}),
            "patroni.cluster": Answer("patroni.cluster", {"status": 200, "json": cluster}),
            "patroni.server": Answer("patroni.server", self._server(host)),
            "patroni.config": Answer("patroni.config", {"status": 200, "json": {"ttl": 30}}),
        }

    def _server(self, host: str) -> Json:
        recovery = "false" if host == "db-1" else "true"
        last = [self.timelines.get(host, ""), "3 197 1000"]
        row = [recovery, "", "", "postgres", "false", "", "", *last]
        return {"accepted": True, "reason": "", "row": row}


def bad(live: Live) -> list[Finding]:
    """Return what is wrong; what cannot be read for that is told under it."""
    found = explained(checks(live), (MODULE,))
    return [f for f in found if f.level > Level.OK and not (f.level is Level.UNKNOWN and f.cause)]


def only(live: Live) -> Finding:
    (finding,) = bad(live)
    return finding


@pytest.mark.parametrize("version", LEADING)
def test_a_healthy_cluster_is_healthy_in_every_version(version: str) -> None:
    live = Cluster(version).live()
    assert bad(live) == []
    assert leader(live) == "db-1"
    assert up(live) == frozenset(HOSTS)
    assert not_ready(live, HOSTS) is None
    found = {finding.check for finding in checks(live)}
    assert found == {
        "patroni.member.reachable",
        "patroni.leader.single",
        "patroni.member.state",
        "patroni.timeline.same",
        "patroni.image.same",
        "patroni.paused",
        "patroni.writer.single",
        "patroni.settings.undescribed",
        "patroni.settings.by-hand",
        "patroni.slots.inactive",
        "patroni.superusers.described",
        "patroni.member.tags",
        "patroni.server.answers",
        "patroni.switchover.scheduled",
        "patroni.replay.paused",
        "patroni.settings.of-roles",
        "patroni.sessions.room",
        "patroni.transactions.age",
        "patroni.hba.open",
    }
    member = members(live)["db-2"]
    assert (member.state, member.lag, member.timeline, member.version) == (
        "streaming",
        0,
        2,
        "16.4",
    )


@pytest.mark.parametrize("version", LEADING)
def test_two_leaders_are_critical_and_nobody_is_the_leader(version: str) -> None:
    cluster = Cluster(version)
    cluster.change("db-3", role=LEADING[version])
    live = cluster.live()
    assert leaders(live) == ("db-1", "db-3")
    assert leader(live) is None
    finding = only(live)
    assert (finding.check, finding.level) == ("patroni.leader.single", Level.CRITICAL)
    assert "db-1, db-3 leads" in finding.message
    assert not_ready(live, HOSTS) is not None


def test_nobody_leads() -> None:
    cluster = Cluster()
    cluster.change("db-1", role="replica", cluster_unlocked=True)
    found = {finding.check: finding for finding in bad(cluster.live())}
    assert found["patroni.leader.single"].level is Level.CRITICAL
    assert found["patroni.leader.single"].message.startswith("no member leads (")
    assert leader(cluster.live()) is None


def test_a_dead_member_that_the_leader_still_calls_streaming_is_not_well() -> None:
    """The leader's view is older than the truth by up to a ttl."""
    cluster = Cluster()
    cluster.own["db-2"] = None
    assert cluster.members["db-2"]["state"] == "streaming"
    found = only(cluster.live())
    assert (found.check, found.level, found.host) == (
        "patroni.member.state",
        Level.CRITICAL,
        "db-2",
    )
    assert "no answer" in found.message


@pytest.mark.parametrize("state", ["stopping", "stopped", "starting", "crashed", "start failed"])
def test_who_holds_the_role_and_does_not_run_does_not_lead(state: str) -> None:
    cluster = Cluster()
    cluster.change("db-1", state=state)
    live = cluster.live()
    assert leaders(live) == ()
    assert "db-1" in up(live)  # its Patroni answers: it still votes in RAFT


@pytest.mark.parametrize("version", LEADING)
@pytest.mark.parametrize(
    ("lag", "level", "said"),
    [
        (0, Level.OK, "streams, lag 0 B"),
        (MAXIMUM_LAG, Level.OK, f"streams, lag {MAXIMUM_LAG} B"),
        (MAXIMUM_LAG + 1, Level.WARN, f"is streaming, lag {MAXIMUM_LAG + 1} B"),
        ("unknown", Level.WARN, "is streaming, lag unknown"),
    ],
)
def test_lag_is_judged_as_the_leader_sees_it(
    version: str, lag: object, level: Level, said: str
) -> None:
    cluster = Cluster(version)
    cluster.members["db-2"]["lag"] = lag
    live = cluster.live()
    (finding,) = (f for f in checks(live) if f.check == "patroni.member.state" and f.host == "db-2")
    assert (finding.level, finding.message) == (level, said)
    assert (not_ready(live, HOSTS) is None) == (level is Level.OK)


@pytest.mark.parametrize(
    "state", ["running", "creating replica", "start failed", "in archive recovery"]
)
def test_a_replica_that_does_not_stream_is_critical(state: str) -> None:
    cluster = Cluster()
    cluster.members["db-2"] |= {"state": state}
    finding = only(cluster.live())
    assert (finding.check, finding.level, finding.host) == (
        "patroni.member.state",
        Level.CRITICAL,
        "db-2",
    )
    assert f"is {state}" in finding.message
    assert "--limit db-2" in finding.hint


def test_a_member_whose_patroni_does_not_answer_is_critical_and_does_not_count() -> None:
    cluster = Cluster()
    cluster.own["db-3"] = None
    del cluster.members["db-3"]
    live = cluster.live()
    finding = only(live)
    assert (finding.level, finding.host) == (Level.CRITICAL, "db-3")
    assert finding.message == "is no answer, lag unknown"
    assert up(live) == {"db-1", "db-2"}
    assert not_ready(live, ["db-1", "db-2"]) is None
    assert not_ready(live, HOSTS) == "db-3 is no answer, lag unknown"


def test_a_host_that_can_not_be_reached_is_unknown_and_not_fine() -> None:
    cluster = Cluster()
    cluster.unreachable = {"db-2": "no route to host"}
    live = cluster.live()
    finding = only(live)
    assert (finding.check, finding.level) == ("patroni.member.reachable", Level.UNKNOWN)
    assert (finding.host, finding.message) == ("db-2", "no route to host")
    assert not_ready(live, HOSTS) == "db-2 does not answer"


def test_two_timelines_are_critical() -> None:
    cluster = Cluster()
    cluster.change("db-2", timeline=1)
    finding = only(cluster.live())
    assert (finding.check, finding.level) == ("patroni.timeline.same", Level.CRITICAL)
    assert finding.message == "timelines [1, 2]"


def test_the_timeline_of_postgresql_counts_before_what_patroni_remembers() -> None:
    """Right after a promotion a replica's Patroni names the old one for up to two rounds."""
    cluster = Cluster()
    cluster.change("db-2", timeline=1)
    cluster.timelines["db-2"] = "2"
    assert bad(cluster.live()) == []
    cluster.timelines["db-3"] = "1"
    assert only(cluster.live()).message == "timelines [1, 2]"


def test_a_timeline_that_nobody_knows_yet_is_not_another_one() -> None:
    cluster = Cluster()
    cluster.change("db-2", timeline=None)
    cluster.members["db-2"]["timeline"] = None
    assert bad(cluster.live()) == []


def test_a_pending_restart_is_a_warning() -> None:
    cluster = Cluster()
    cluster.change("db-2", pending_restart=True)
    finding = only(cluster.live())
    assert (finding.check, finding.level, finding.host) == (
        "patroni.restart.pending",
        Level.WARN,
        "db-2",
    )


def test_two_images_under_one_reference_are_a_warning() -> None:
    cluster = Cluster()
    for number, host in enumerate(HOSTS):
        identity = "image:keybuzz/patroni-postgres16:16.4"
        cluster.states[host] = {identity: State(identity, True, {"id": f"sha256:{number % 2}"})}
    finding = only(cluster.live())
    assert (finding.check, finding.level) == ("patroni.image.same", Level.WARN)


def test_with_two_who_say_that_they_lead_the_views_of_the_first_count() -> None:
    cluster = Cluster()
    cluster.views["db-2"] = [{**cluster.members["db-3"], "lag": 10 * MAXIMUM_LAG}]
    assert bad(cluster.live()) == []


def test_the_topology_names_everybody() -> None:
    cluster = Cluster("4.0.4")
    cluster.unreachable = {"db-3": "no route"}
    cluster.states["db-1"]["x"] = State("x", True)
    cluster.states["db-1"] = {
        "postgres-extension:keybuzz/vector": State("e", True, {"version": "0.6.2"})
    }
    found = topology(cluster.live())
    assert found.cluster == "keybuzz-pg"
    assert [(m.host, m.role, m.state) for m in found.members] == [
        ("db-1", "leader", "running"),
        ("db-2", "replica", "streaming"),
        ("db-3", "?", "unreachable"),
    ]
    assert dict(found.members[1].details) == {
        "lag": "0 B",
        "timeline": "2",
        "PostgreSQL": "16.4",
        "pgvector": "0.6.2",
    }


def test_on_empty_hosts_nothing_is_assumed() -> None:
    live = World.empty(3).live()
    assert topology(live).cluster == "patroni"
    assert {m.role for m in topology(live).members} == {"replica"}
    leading = next(finding for finding in checks(live) if finding.check == "patroni.leader.single")
    assert leading.level is Level.CRITICAL


_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
_documents = st.dictionaries(
    st.sampled_from(["state", "role", "timeline", "server_version", "pending_restart", "patroni"]),
    _scalars,
)


@given(_documents, st.sampled_from(HOSTS))
def test_no_document_makes_a_check_raise(document: Json, host: str) -> None:
    """A check never raises: what it does not understand is not healthy, or at least has a finding."""
    cluster = Cluster()
    cluster.own[host] = document
    live = cluster.live()
    found = checks(live)
    assert {finding.host for finding in found if finding.check == "patroni.member.state"} == set(
        HOSTS
    )
    topology(live)
    not_ready(live, HOSTS)


@pytest.mark.parametrize(
    "document", [None, [], "text", 7, {"members": []}, {"members": None}, {"members": [7]}]
)
def test_a_cluster_document_of_another_shape_is_an_unhealthy_cluster(document: object) -> None:
    live = Cluster().live()
    hosts = {
        host: replace(
            view,
            answers={
                **view.answers,
                "patroni.cluster": Answer("patroni.cluster", {"status": 200, "json": document}),
            },
        )
        for host, view in live.hosts.items()
    }
    found = bad(replace(live, hosts=hosts))
    assert {finding.host for finding in found} == {"db-2", "db-3"}
    assert {finding.level for finding in found} == {Level.CRITICAL}
