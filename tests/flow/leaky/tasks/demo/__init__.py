"""A module that gives a secret to everything that a module can, on a host where programs are talkative."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.content import Template
from keybuzz.model.docker import Container
from keybuzz.model.files import File, HostValidator, UnitReload
from keybuzz.model.finding import Finding, Level
from keybuzz.model.live import Live, Stage
from keybuzz.model.reading import Command, FileText
from keybuzz.model.secret import Secret
from keybuzz.model.server import Server
from keybuzz.site.module import Description, Module
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


MODULE = Module(
    name="demo",
    number=1,
    title="Talkative",
    group="patroni",
    requires=(),
    describe=describe,
    next_stage=next_stage,
    checks=checks,
)
