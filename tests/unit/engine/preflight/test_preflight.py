"""`kbz preflight`: each of many planted obstacles is found once, and none on a good fleet. Hosts are scripted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.runtime.frames import json_frame
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.preflight.hosts import _refusals
from keybuzz.engine.preflight.preflight import described_without, preflight
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.live import HostView, Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.secret import sha256
from keybuzz.model.reports.preflight import CONTROLLER, Obstacle, Preflight
from keybuzz.report.screen.preflight import preflight_document, preflight_text
from keybuzz.site.site import Binary, Site
from tests.unit.report.test_schemas import wrong
from tests.unit.support.scripted_hosts import SITE, Json, Script, fleet, result_of, scripted

HOST = "redis-02"
QUEUE = "queue-02"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7dYwqVqXhOhkZlv0gqVYkqyqj4nq0wZ0s5m1m2p3q4"
PROGRAM = b"a program"
GROUND = {
    "clock_synchronised": True,
    "memory": {"total": 64 << 30, "available": 60 << 30},
    "kernel": "6.1.0",
}

MACHINE = {"architecture": "x86_64", "kernel": "6.8.0-60-generic"}


def good(host: str, request: Json) -> Json:
    """Return what a host of a good fleet says: base is as described, nothing else is there yet."""
    result = result_of(request)
    if request["op"] != "probe":
        return result
    described = {
        resource.identity: resource for resource in fleet()[host].modules["base"].resources
    }
    for query, state in zip(request["resources"], result["states"], strict=True):
        if query["kind"] == "rabbitmq-data":  # an empty place has none that is newer
            state.update(present=True, attributes={"newer": []})
        resource = described.get(f"{query['kind']}:{query['name']}")
        if resource is not None:
            wanted = json.loads(json.dumps(dict(resource.wanted(SITE.digest_key))))
            state.update(present=True, attributes=wanted)
        if query["kind"] == "rabbitmq-data":  # no data contradicts nothing
            state.update(present=True, attributes={"newer": []})
    for answer in result["answers"]:
        if isinstance(answer["value"], dict) and "clock_synchronised" in answer["value"]:
            answer["value"].update(GROUND, clock=time.time())
        if isinstance(answer["value"], dict) and "fstab" in answer["value"]:
            answer["value"].update(MACHINE, machine=f"of {host}")
    return result


Spoil = Callable[[Json, Json], None]
"""Changes what a host answers: the request, and the result."""


@dataclass
class Ground:
    """A site that is ready, on disk where it must be, and its hosts."""

    folder: Path
    site: Site = SITE
    spoils: dict[str, Spoil] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    more: tuple[Obstacle, ...] = ()
    modules: tuple[str, ...] = ("base",)

    def host(self, host: str, request: Json) -> Iterable[bytes]:
        if host in self.away:
            raise ContactError(self.away[host], where=host)
        result = good(host, request)
        reading(disks=disk())(request, result)
        if host in self.spoils:
            self.spoils[host](request, result)
        return [json_frame({"id": request["id"], "result": result})]

    def look(self) -> Preflight:
        nornir = scripted(Script({server.name: self.host for server in SITE.servers}))
        filled = described_without(self.site)
        nornir.config.user_defined["site"] = filled
        journal = Journal(self.folder / "journal.sqlite")
        work = Workspace(filled, nornir, journal, lambda event: None, "kbz preflight")
        modules = tuple(module for module in all_modules() if module.name in self.modules)
        every = frozenset(server.name for server in SITE.servers)
        return preflight(work, self.site, modules, every, self.more)

    def settings(self, **more: Any) -> None:
        self.site = replace(self.site, settings=replace(self.site.settings, **more))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    state, store, key = tmp_path / "state", tmp_path / "store", tmp_path / "id"
    for folder in (state, store, tmp_path / "artefacts"):
        folder.mkdir(mode=0o700)
    key.write_text("")
    key.chmod(0o600)
    pins = tmp_path / "known_hosts"
    pins.write_text("".join(f"{server.address} {KEY}\n" for server in SITE.servers))
    (tmp_path / "artefacts" / "tool").write_bytes(PROGRAM)
    made = Ground(tmp_path, replace(SITE, root=tmp_path))
    made.settings(
        state=state, credentials=store, key_filename=key, known_hosts=pins,
        parameters={**SITE.settings.parameters, "tool.artefacts": "artefacts"},
    )  # fmt: skip
    made.site = replace(made.site, binaries={"tool": Binary("tool", "1.0", sha256(PROGRAM), 1)})
    return made


def state_of(kind: str, **attributes: Any) -> Spoil:
    """Return what changes attributes of the host's resource of a kind."""

    def spoil(request: Json, result: Json) -> None:
        for query, state in zip(request["resources"], result["states"], strict=True):
            if query["kind"] == kind:
                state["attributes"].update(attributes)

    return spoil


def reading(**values: Any) -> Spoil:
    """Return what changes the answer about the system."""

    def spoil(request: Json, result: Json) -> None:
        for answer in result["answers"]:
            if isinstance(answer["value"], dict) and "clock_synchronised" in answer["value"]:
                answer["value"].update(values)

    return spoil


def disk(**more: Any) -> list[Json]:
    """Return one file system."""
    sound = {"path": "/", "read_only": False, "bytes": 1 << 40, "used": 10.0, "inodes_used": 1.0}
    return [{**sound, **more}]


def _spoiled(spoil: Spoil) -> Callable[[Ground], None]:
    def plant(made: Ground) -> None:
        made.spoils[HOST] = spoil

    return plant


def _away(reason: str) -> Callable[[Ground], None]:
    def plant(made: Ground) -> None:
        made.away[HOST] = reason

    return plant


def no_credentials(made: Ground) -> None:
    made.site = replace(made.site, credentials={})


def open_store(made: Ground) -> None:
    made.site.settings.credentials.chmod(0o755)


def no_key(made: Ground) -> None:
    made.site.settings.key_filename.unlink()


def open_key(made: Ground) -> None:
    made.site.settings.key_filename.chmod(0o644)


def unpinned(made: Ground) -> None:
    address = str(SITE.server(HOST).address)
    path = made.site.settings.known_hosts
    path.write_text(
        "".join(
            line
            for line in path.read_text().splitlines(keepends=True)
            if not line.startswith(f"{address} ")
        )
    )
    made.away[HOST] = "its key is not pinned"


def open_state(made: Ground) -> None:
    made.site.settings.state.chmod(0o777)


def no_artefact(made: Ground) -> None:
    (made.folder / "artefacts" / "tool").unlink()


def other_artefact(made: Ground) -> None:
    (made.folder / "artefacts" / "tool").write_bytes(b"another program")


def no_image(made: Ground) -> None:
    made.more = (Obstacle((CONTROLLER,), "images", "redis: no such tag", "kbz versions verify"),)


def readiness(**values: Any) -> Spoil:
    """Return what changes the answer about what a first run needs."""

    def spoil(request: Json, result: Json) -> None:
        for query, answer in zip(request["readings"], result["answers"], strict=True):
            if query["kind"] == "readiness":
                answer["value"].update(values)

    return spoil


def sweep(**values: Any) -> Spoil:
    """Return what changes the answer about data and listeners of a service."""

    def spoil(request: Json, result: Json) -> None:
        for query, answer in zip(request["readings"], result["answers"], strict=True):
            if query["kind"] == "data-sweep":
                answer["value"].update(values)

    return spoil


def with_rabbitmq(spoil: Spoil, host: str = QUEUE) -> Callable[[Ground], None]:
    def plant(made: Ground) -> None:
        made.modules = ("base", "rabbitmq")
        made.spoils[host] = spoil

    return plant


def unreachable_sources(made: Ground) -> None:
    """One package is missing, and its source is not reached."""

    def spoil(request: Json, result: Json) -> None:
        packages = [
            state
            for query, state in zip(request["resources"], result["states"], strict=True)
            if query["kind"] == "package"
        ]
        if packages:
            packages[0].update(present=False, attributes={})
        readiness(sources=[["https://deb.debian.org", "deb.debian.org:443: Connection refused"]])(
            request, result
        )

    made.spoils[HOST] = spoil


ROOT = ["/", "ext4"]
DATA = "/opt/keybuzz/rabbitmq"
BY_ID = ["/dev/disk/by-id/scsi-0HC_Volume_1", DATA]
BLOCKED = state_of("firewall", active=False, served=["25/tcp (master)"])
CLOSED = state_of(
    "firewall", active=False, served=["6379/tcp (redis)"], clients=["6379/tcp from x"]
)
SHUT_OUT = state_of("firewall", active=False, shut_out=["198.18.0.9"])
HIDDEN = state_of("docker-daemon", running=False, in_containerd=["old"])
OTHER_KEY = "shows another host key than the pinned one → kbz hosts forget redis-02"
PLANTED: dict[str, tuple[Callable[[Ground], None], str, str]] = {
    "no credentials": (no_credentials, CONTROLLER, "are missing"),
    "a store that others read": (open_store, CONTROLLER, "may be read by others"),
    "no SSH key": (no_key, CONTROLLER, "there is no file"),
    "an SSH key that others read": (open_key, CONTROLLER, "may be read by others"),
    "a host key that is not pinned": (unpinned, HOST, "no host key is pinned"),
    "a state folder that others write": (open_state, CONTROLLER, "may be written by others"),
    "no artefact": (no_artefact, CONTROLLER, "there is no file"),
    "another artefact": (other_artefact, CONTROLLER, "its digest is another one"),
    "no image": (no_image, CONTROLLER, "no such tag"),
    "no route": (_away("no route to host"), HOST, "no route"),
    "another key": (_away(OTHER_KEY), HOST, "another host key"),
    "a login that is refused": (_away("refuses the SSH key of root"), HOST, "refuses the SSH key"),
    "no Python": (_away("has no python3"), HOST, "no python3"),
    "another system": (
        _spoiled(state_of("operating-system", release="debian 11")), HOST, "the system is debian 11"
    ),
    "a port that closes": (_spoiled(BLOCKED), HOST, "cut off what listens here"),
    "a service's port that closes": (_spoiled(CLOSED), HOST, "outside now: 6379/tcp from x"),
    "an operator who is shut out": (_spoiled(SHUT_OUT), HOST, "shut out who is logged in"),
    "containers in another store": (_spoiled(HIDDEN), HOST, "no longer be seen"),
    "a clock that follows nothing": (
        _spoiled(reading(clock_synchronised=False)), HOST, "not synchronised"
    ),
    "no memory": (_spoiled(reading(memory={"total": 8 << 30, "available": 0})), HOST, "is left"),
    "a full disk": (_spoiled(reading(disks=disk(used=99.0))), HOST, "/ is 99 % full"),
    "no inodes": (_spoiled(reading(disks=disk(inodes_used=99.0))), HOST, "/ is 99 %"),
    "a disk that takes no writes": (
        _spoiled(reading(disks=disk(read_only=True))), HOST, "takes no writes"
    ),
    "package sources that are not reached": (
        unreachable_sources, HOST, "not reached: deb.debian.org:443"
    ),
    "a port that is taken": (
        with_rabbitmq(sweep(listening=[[5672, "beam.smp"]])), QUEUE, "port 5672 is taken by beam.smp"
    ),
    "data of another installation": (
        with_rabbitmq(sweep(found=[["rabbitmq", "/var/lib/rabbitmq", "", ""]])), QUEUE, "data of another installation"
    ),
    "a volume that is not mounted": (
        with_rabbitmq(readiness(mounts=[ROOT], fstab=[BY_ID])), QUEUE, "is in /etc/fstab and not mounted"
    ),
    "a volume that goes with a restart": (
        with_rabbitmq(readiness(mounts=[ROOT, [DATA, "xfs"]])), QUEUE, "not in /etc/fstab"
    ),
    "a volume of a mount unit that is not mounted": (
        with_rabbitmq(readiness(mounts=[ROOT], units=[BY_ID])), QUEUE, "is in a .mount unit and not mounted"
    ),
    "a volume by a name that moves": (
        with_rabbitmq(readiness(mounts=[ROOT, [DATA, "xfs"]], fstab=[["/dev/sdb", DATA]])),
        QUEUE, "may be another disk",
    ),
    "a volume that is not XFS": (
        with_rabbitmq(readiness(mounts=[ROOT, [DATA, "ext4"]], fstab=[BY_ID])), QUEUE, "is ext4"
    ),
    "no volume": (with_rabbitmq(readiness(mounts=[ROOT])), QUEUE, "has no volume"),
    "a load balancer that is not there": (
        with_rabbitmq(readiness(balancers=[["10.0.0.10", "10.0.0.10:5432: timed out"]]), "install-01"),
        "install-01", "the load balancer 10.0.0.10 is not there",
    ),
}  # fmt: skip


def test_a_good_fleet_has_no_obstacle(ground: Ground) -> None:
    found = ground.look()
    assert found.obstacles == ()
    assert found.exit_code is ExitCode.GOOD
    assert "the first run would go through" in preflight_text(found)


def test_an_enabled_mount_unit_is_as_good_as_a_line_of_fstab(ground: Ground) -> None:
    with_rabbitmq(readiness(mounts=[ROOT, [DATA, "xfs"]], units=[BY_ID]))(ground)
    assert ground.look().obstacles == ()


def test_there_are_twenty() -> None:
    assert len(PLANTED) >= 20


@pytest.mark.parametrize("name", PLANTED)
def test_each_obstacle_is_found_once_and_nothing_else(ground: Ground, name: str) -> None:
    plant, where, words = PLANTED[name]
    plant(ground)
    found = ground.look()
    seen = [(item.where, words in item.what) for item in found.obstacles]
    assert seen == [((where,), True)], found.obstacles
    assert found.obstacles[0].todo
    stops = found.obstacles[0].stops
    assert (found.exit_code is ExitCode.GOOD) is (not stops and not ground.away)
    assert words in " ".join(preflight_text(found).split())


def test_one_obstacle_on_many_hosts_is_one_line(ground: Ground) -> None:
    for server in SITE.servers[:40]:
        ground.away[server.name] = f"no route to {server.address}"
    found = ground.look()
    assert len(found.obstacles) == 1
    assert len(found.obstacles[0].where) == 40
    assert found.exit_code is ExitCode.UNREACHABLE


def test_a_program_of_another_module_stops_nothing(ground: Ground) -> None:
    """`kbz preflight patroni` once missed the program k3s, and ended with 2."""
    k3s = Binary("k3s", "1.0", "", 1)
    ground.site = replace(ground.site, binaries={**ground.site.binaries, "k3s": k3s})
    assert ground.look().obstacles == ()


def test_the_document_is_as_described(ground: Ground) -> None:
    no_credentials(ground)
    assert wrong("preflight", preflight_document(ground.look())) == []


def first_start(live: Live) -> Stage | None:
    """A rollout that begins with all members of its cluster only, as a first start does."""
    missing = {server.name for server in live.members} - live.selected
    if missing:
        raise RefusedError("a first start needs all members", where=live.members[0].name)
    return None


def test_a_cluster_that_would_start_is_no_obstacle_and_a_part_of_it_is_one() -> None:
    module = next(module for module in all_modules() if module.name == "redis")
    members = tuple(server for server in SITE.servers if server.name.startswith("redis-"))
    names = frozenset(server.name for server in members)
    views = {s.name: HostView(s, {}, {}, ()) for s in members}
    live = Live("redis", members, views, {}, names)
    cluster = replace(module, next_stage=first_start)
    assert list(_refusals(cluster, live, names)) == []
    part = replace(live, selected=frozenset({HOST}))
    assert len(list(_refusals(cluster, part, part.selected))) == 1
