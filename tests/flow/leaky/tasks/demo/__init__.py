"""A module that gives a secret to everything that a module can, on a host where programs are talkative."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.content import Template
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.reading import Answer, Command, FileText, Reading
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File, HostValidator, UnitReload
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Scenario, Workload, WorkloadKind
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.drill import Drill
from keybuzz.site.module import Description, Module, Position, Recovery
from keybuzz.site.parameters.forms import Count
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.settled import Settled, in_file
from keybuzz.site.site import Site

CONF = str(Path(os.environ["KBZ_HUNT_FILES"]) / "app.conf")
SCENARIO = os.environ["KBZ_HUNT_SCENARIO"]


@dataclass(frozen=True, slots=True)
class Values:
    """Names of app.conf.j2."""

    password: Secret


def describe(site: Site, server: Server) -> Description:
    """Return a file and a container with the same secret, and readings that see the file."""
    del server
    secret = site.secret("POSTGRES_APP_PASS")
    return Description(
        (
            File(
                CONF,
                Template(Path(__file__).parent, "app.conf.j2", Values(secret)),
                mode=0o600,
                validator=HostValidator(("leak", "{}")) if SCENARIO == "validator" else None,
                reload=UnitReload("app.service") if SCENARIO == "reload" else None,
            ),
            Container("app", "demo:1", environment=(("APP_PASSWORD", secret),)),
        ),
        (FileText("conf", CONF), Command("talk", ("leak", CONF))),
    )


def next_stage(live: Live) -> Stage | None:
    """Return everything at once."""
    changes = tuple(live.changes())
    return Stage("all", changes) if changes else None


def checks(live: Live) -> tuple[Finding, ...]:
    """Repeat what the host said, unless it is to be quiet."""
    if SCENARIO == "quiet":
        return ()
    return tuple(
        Finding("demo.said", Level.WARN, f"{answer.value} {answer.problem}", host, "look at it")
        for host, view in live.hosts.items()
        for answer in (view.answer("conf"), view.answer("talk"))
    )


def workload(site: Site, scenario: Scenario) -> Workload:
    """Return writes with the secret, to an endpoint that repeats what it is given."""
    del scenario
    port = int(os.environ.get("KBZ_HUNT_ENDPOINT", "1"))
    secret = site.secret("POSTGRES_APP_PASS")
    kind = WorkloadKind("redis", "redis", "redis", "tasks.demo.client")
    return Workload(kind, "127.0.0.1", port, "kb", secret)


def positions(site: Site, server: Server) -> Reading:
    """Return a question whose answer is full of the secret."""
    del site, server
    return Command("position", ("leak", CONF))


def position(host: str, answer: Answer) -> Position:
    """Repeat what the host said."""
    return Position(host, "one", 1, False, f"{answer.value} {answer.problem}")


MODULE = Module(
    name="demo",
    number=1,
    title="Talkative",
    group="patroni",
    requires=(),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
    members_up=(lambda live: frozenset(live.hosts)) if SCENARIO == "quiet" else None,
    drills=(Drill("app", workload, not_recovered=lambda live, scenario, victim: None),),
    recovery=Recovery(
        name=lambda site: "demo-cluster",
        halt=lambda live: None,
        positions=positions,
        position=position,
        choose=lambda found, named: found[0].host,
        start=lambda live, host: Stage("all", tuple(live.changes())),
    ),
    credentials=(
        Credential("POSTGRES_APP_PASS", "postgres.env"),
        Credential("REDIS_PASSWORD", "redis.env", length=32),
    ),
    parameters=(Parameter("demo.sessions", Count(), "Sessions that it takes.", "200"),),
    settled=(Settled("demo.sessions", in_file(f"file:{CONF}", r"^sessions = (\d+)$")),),
)
