"""The verbs over a service in the repository: the source, the order of the steps, and a contact lost at each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.agent.runtime.frames import PREFIXES, bytes_frame, json_frame
from keybuzz.engine.backup import drill as drills
from keybuzz.engine.backup import restore as restores
from keybuzz.engine.backup import take
from keybuzz.engine.backup.report import BackupReport
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError, StepError, StoppedError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.report.page.past import past_of
from tasks.backup.store import galera
from tests.unit.engine.memory.test_forgetful import workspace
from tests.unit.support.scripted_hosts import Json, Script, result_of, scripted
from tests.unit.support.site_values import PLANTED
from tests.unit.tasks.backup.backup_world import (
    HOST,
    STORED,
    STREAMING,
    archive,
    catalogue,
    kept,
)

REPLICA = {"role": "slave", "master_link_status": "up", "slave_repl_offset": "100"}
MASTER = {"role": "master", "slave_repl_offset": "0"}
ALONE = {**REPLICA, "master_link_status": "down"}
CLUSTER = {"10.0.0.123": MASTER, "10.0.0.124": REPLICA, "10.0.0.125": REPLICA}
NO_MINIO = {
    "denied": True,
    "deployment": "",
    "servers": {},
    "drives": {},
    "healing": [],
    "sets": [],
    "parity": 0,
    "version": "",
    "frozen": False,
    "slow": False,
}
COPY = "0123456789abcdef"


class StoreHost:
    """backup-01 with its repository, whose programs end well but for one, where it hangs up."""

    def __init__(self, *copies: Json, cluster: dict[str, Json] | None = None) -> None:
        self.copies = list(copies)
        self.cluster = CLUSTER if cluster is None else cluster
        self.steps: list[str] = []
        self.inputs: list[str] = []
        self.argv: list[str] = []
        self.lost_at = 0
        self.exit_codes: dict[str, tuple[int, str]] = {}
        self.mysql: Callable[[Json], Json] = lambda query: {"denied": "Access denied", "rows": {}}
        self.when: dict[str, Callable[[], None]] = {}
        """What happens while a step is at work."""

    def __call__(self, host: str, request: Json) -> Iterable[bytes]:
        if "id" not in request:
            return []  # its lease is given back
        number = request["id"]
        if request["op"] == "probe":
            answers = [{"value": self._answer(query)} for query in request["readings"]]
            others = result_of({**request, "readings": []})
            return [json_frame({"id": number, "result": {**others, "answers": answers}})]
        if request["op"] != "exec":
            return [json_frame({"id": number, "result": result_of(request)})]
        step = _step(request["argv"])
        self.steps.append(step)
        self.argv += request["argv"]
        self.when.get(step, lambda: None)()
        if len(self.steps) == self.lost_at:
            return []
        if step == "list" and step not in self.exit_codes:
            self.copies = [{**copy, "size": 1} for copy in self.copies]
        if step == "keep":
            self.copies = [copy for copy in self.copies if copy["size"] != "many"]
            self.copies.append(kept("redis", f"{len(self.copies):016x}", verified=0.0))
        code, said = self.exit_codes.get(step, (0, "2026-11-30 12:00:00+00:00"))
        return [
            bytes_frame(PREFIXES["stdout"] + said.encode()),
            json_frame({"id": number, "result": {"exit_code": code, "timed_out": False}}),
        ]

    def _answer(self, query: Json) -> Json:
        if query["kind"] == "listing":
            return {"there": True, "names": ["catalogue.json"]}
        if query["kind"] == "text":
            return {"text": catalogue(*self.copies)}
        if query["kind"] == "backups":
            return archive()
        if query["kind"] == "postgres-login":
            return STREAMING
        if query["kind"] == "amqp-login":
            return {"accepted": True, "reason": "", "cluster": "keybuzz-queue"}
        if query["kind"] == "mysql-query":
            return self.mysql(query)
        if query["kind"] == "command":
            return {"exit_code": 1, "stdout": "", "stderr": "refused"}
        if query["kind"] == "minio":
            return {**NO_MINIO}
        return {"denied": "", "replies": {"INFO replication": self.cluster[query["address"]]}}


def _step(argv: list[str]) -> str:
    """Return what a command line does, in a word."""
    if argv[0] == "python3":
        return argv[5] if len(argv) > 5 else "reached"
    if argv[0] != "sh":
        return argv[0] if argv[0] != "docker" else argv[1]
    text = " ".join(argv)
    for word, sign in (
        ("free", "is no restore of kbz"),
        ("begun", "mkdir -p -m 700"),
        ("away", "does not go"),
        ("fill", "--rdb"),
        ("prove", "redis-check-rdb"),
        ("serve", "--detach"),
        ("await", "loading:0"),
        ("count", "keys_loaded"),
    ):
        if sign in text:
            return word
    raise AssertionError(text)


def at(path: Path, host: StoreHost) -> Workspace:
    made = workspace(path / "journal.sqlite")
    return replace(made, nornir=scripted(Script({HOST: host})))


TAKEN = ["image", "begin", "fill", "prove", "keep", "forget", "rm"]
RESTORED = [
    *("free", "image", "begun", "fetch", "prove", "chown", "serve", "await", "count"),
    *("restored", "mv", "reached"),
]
DRILLED = [*("image", "away"), *RESTORED[2:], "away"]


def run(work: Workspace) -> ExitCode:
    return take.run(work, "redis").code


def restore(work: Workspace) -> ExitCode:
    return restores.restore(work, "redis", "", "", lambda plan: None).code


def verify(work: Workspace) -> ExitCode:
    return take.verify(work, "redis", "").code


def drill(work: Workspace) -> ExitCode:
    return drills.drill(work, "redis", lambda one: None).code


VERBS = {"run": (run, TAKEN), "restore": (restore, RESTORED), "drill": (drill, DRILLED)}
LOSSES = [(verb, at) for verb in ("run", "drill") for at in range(1, len(VERBS[verb][1]) + 1)]
"""A drill goes through all steps of a restore."""
Verb = Callable[[Workspace], ExitCode]


@pytest.mark.parametrize("verb", VERBS)
def test_the_steps_come_in_their_order_and_no_secret_is_in_one(tmp_path: Path, verb: str) -> None:
    act, steps = VERBS[verb]
    host = StoreHost(kept("redis"))
    assert act(at(tmp_path, host)) is ExitCode.GOOD
    assert host.steps == steps
    assert not [word for word in host.argv if PLANTED in word]


@pytest.mark.parametrize(("verb", "lost_at"), LOSSES)
def test_a_contact_lost_at_any_step_is_ended_by_the_same_command(
    tmp_path: Path, verb: str, lost_at: int
) -> None:
    act, steps = VERBS[verb]
    host = StoreHost(kept("redis"))
    host.lost_at = lost_at
    try:
        assert act(at(tmp_path, host)) is not ExitCode.GOOD or lost_at == len(steps)
    except ContactError:
        assert verb != "drill", "one service never ends the drill of the others"
    host.lost_at, host.steps = 0, []
    assert act(at(tmp_path, host)) is ExitCode.GOOD
    assert host.steps == steps, "it begins again, and removes what was left"


@pytest.mark.parametrize("step", ["begin", "fill", "prove", "keep"])
def test_what_is_not_proven_never_comes_into_the_repository(tmp_path: Path, step: str) -> None:
    host = StoreHost()
    host.exit_codes[step] = (1, "No space left on device")
    report = take.run(at(tmp_path, host), "redis")
    assert report.code is ExitCode.FAILED
    assert "No space left on device" in report.problem
    assert host.steps[-2:] == [step, "rm"], "what lies there in clear is taken away"


def test_damage_is_noted_and_refused_from_then_on(tmp_path: Path) -> None:
    host = StoreHost(kept("redis"))
    host.exit_codes["fetch"] = (65, "damaged: redis.rdb is not what was put there")
    report = take.verify(at(tmp_path, host), "redis", "")
    assert report.code is ExitCode.FAILED
    assert host.steps[-3:] == ["fetch", "rm", "note"]
    host.copies[0]["wrong"] = "damaged"
    for verb in (run, restore, drill):
        host.steps = []
        if verb is restore:
            with pytest.raises(RefusedError, match="no good backup"):
                verb(at(tmp_path, host))
        if verb is drill:
            assert verb(at(tmp_path, host)) is ExitCode.FAILED
        assert "fetch" not in host.steps
    host.exit_codes["fetch"] = (1, "restic: wrong password")
    report = take.verify(at(tmp_path, StoreHost(kept("redis"))), "redis", "")
    assert report.code is ExitCode.GOOD


def test_an_end_that_says_nothing_of_the_backup_is_not_noted(tmp_path: Path) -> None:
    host = StoreHost(kept("redis"))
    host.exit_codes["prove"] = (137, "killed")
    report = take.verify(at(tmp_path, host), "redis", "")
    assert "was not judged" in report.problem
    assert host.steps[-2:] == ["prove", "rm"]


def test_a_backup_of_another_cluster_is_restored_only_by_its_name(tmp_path: Path) -> None:
    other = kept("redis", cluster="another-master")
    with pytest.raises(RefusedError, match="another-master"):
        restore(at(tmp_path, StoreHost(other)))
    report = restores.restore(at(tmp_path, StoreHost(other)), "redis", "", COPY, lambda plan: None)
    assert report.code is ExitCode.GOOD


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"10.0.0.124": MASTER, "10.0.0.125": MASTER}, "redis-02 is master"),
        (
            {"10.0.0.124": ALONE, "10.0.0.125": ALONE},
            "redis-02 does not reach its master",
        ),
    ],
)
def test_without_a_replica_in_step_nothing_is_taken(
    tmp_path: Path, change: dict[str, Json], said: str
) -> None:
    host = StoreHost(cluster={**CLUSTER, **change})
    with pytest.raises(RefusedError, match=said):
        run(at(tmp_path, host))
    assert set(host.steps) <= {"image"}


def test_the_replica_with_most_data_is_the_source(tmp_path: Path) -> None:
    ahead = {**REPLICA, "slave_repl_offset": "101"}
    host = StoreHost(cluster={**CLUSTER, "10.0.0.124": ahead})
    run(at(tmp_path, host))
    assert "10.0.0.124" in host.argv
    assert not {"10.0.0.123", "10.0.0.125"} & set(host.argv)


def test_a_writer_that_has_moved_since_is_no_source_of_galera(tmp_path: Path) -> None:
    host, writes = StoreHost(), ["maria-03"]
    synced = [("wsrep_cluster_status", "Primary"), ("wsrep_local_state_comment", "Synced")]
    synced += [("wsrep_ready", "ON"), ("wsrep_cluster_state_uuid", "1")]

    def answer(query: Json) -> Json:
        [asked] = query["statements"]
        rows = [writes] if asked == galera.WHERE else synced
        return {"denied": "", "rows": {asked: rows}}

    host.mysql = answer
    host.when["begin"] = lambda: writes.__setitem__(0, "maria-01")
    report = take.run(at(tmp_path, host), "galera")
    assert report.code is ExitCode.FAILED
    assert "mariabackup on maria-01: maria-01 is the writer" in report.problem
    assert host.steps == ["image", "begin", "rm"]


def test_a_drill_of_all_tells_each_and_one_never_stops_the_others(tmp_path: Path) -> None:
    host = StoreHost(kept("redis"))
    told: list[drills.Drilled] = []
    report = drills.drill(at(tmp_path, host), "all", told.append)
    assert report.code is ExitCode.FAILED
    assert tuple(told) == report.services
    problems = {one.service: one.problem for one in told}
    assert set(problems) == {"postgres", *STORED}
    assert problems.pop("redis") == ""
    assert all("no good backup" in problem for problem in problems.values())


def test_what_a_drill_found_is_in_the_history(tmp_path: Path) -> None:
    work = at(tmp_path, StoreHost(kept("redis")))
    [one] = drills.drill(work, "redis", lambda found: None).services
    assert one.reached == "2026-11-30 12:00:00+00:00"
    assert one.lost is not None
    [run] = work.journal.runs(1)
    assert run.verb == "drill restore"
    assert f"{COPY}: recovery time" in run.note
    [shown] = past_of(work.journal, Documents(work.journal.path), 5).restores
    assert (shown.run, shown.service, shown.backup) == (run.number, "redis", COPY)
    assert (shown.recovery, shown.lost, shown.problem) == (one.recovery, one.lost, "")


def test_a_backup_of_all_goes_on_past_one_that_is_refused(tmp_path: Path) -> None:
    alone = dict.fromkeys(CLUSTER, MASTER)
    work = at(tmp_path, StoreHost(kept("redis"), cluster=alone))
    told: list[BackupReport] = []
    code = take.each(work, "all", lambda name: take.run(work, name), told.append)
    assert code is ExitCode.FAILED
    assert [one.service for one in told] == ["postgres", *STORED]
    assert "no replica of Redis" in told[1].problem


def test_a_damaged_list_stops_no_backup(tmp_path: Path) -> None:
    host = StoreHost(kept("redis", size="many"))
    with pytest.raises(ContactError, match="the next backup or restore makes it again"):
        take.listed(at(tmp_path, host), "redis")
    assert run(at(tmp_path, host)) is ExitCode.GOOD
    assert host.steps == TAKEN


@pytest.mark.parametrize("verb", ["restore", "drill", "verify"])
def test_a_damaged_list_is_made_again_by_what_needs_a_backup(tmp_path: Path, verb: str) -> None:
    host = StoreHost(kept("redis", size="many"))
    acts = {**{name: act for name, (act, _) in VERBS.items()}, "verify": verify}
    assert acts[verb](at(tmp_path, host)) is ExitCode.GOOD
    assert host.steps[0] == "list"


def test_a_list_that_cannot_be_made_again_is_told(tmp_path: Path) -> None:
    host = StoreHost(kept("redis", size="many"))
    host.exit_codes["list"] = (1, "restic snapshots: wrong password")
    with pytest.raises(StepError, match="wrong password"):
        restore(at(tmp_path, host))
    assert host.steps == ["list"]


@pytest.mark.parametrize("number", range(3, len(TAKEN)))
def test_a_contact_lost_leaves_nothing_in_clear_where_the_host_answers_again(
    tmp_path: Path, number: int
) -> None:
    host = StoreHost()
    host.lost_at = number
    with pytest.raises(ContactError):
        run(at(tmp_path, host))
    assert host.steps == [*TAKEN[:number], "rm"]


@pytest.mark.parametrize("verb", ["run", "drill"])
def test_a_stop_lets_the_step_end_takes_away_what_was_made_and_begins_no_other_service(
    tmp_path: Path, verb: str
) -> None:
    host = StoreHost(kept("redis"))
    work = at(tmp_path, host)
    last = {"run": "fill", "drill": "fetch"}[verb]
    host.when[last] = work.stop.set
    told: list[object] = []
    acts: dict[str, Callable[[], object]] = {
        "run": lambda: take.each(work, "all", lambda name: take.run(work, name), told.append),
        "drill": lambda: drills.drill(work, "all", told.append),
    }
    with pytest.raises(StoppedError):
        acts[verb]()
    assert host.steps[-2:] == [last, {"run": "rm", "drill": "away"}[verb]]
    assert len(told) == 1, "PostgreSQL alone came before"
    assert work.journal.runs(1)[0].exit_code == ExitCode.INTERRUPTED


def test_a_stop_between_two_services_begins_no_other(tmp_path: Path) -> None:
    work = at(tmp_path, StoreHost(kept("redis")))
    told: list[drills.Drilled] = []

    def tell(one: drills.Drilled) -> None:
        told.append(one)
        work.stop.set()

    with pytest.raises(StoppedError):
        drills.drill(work, "all", tell)
    assert len(told) == 1
