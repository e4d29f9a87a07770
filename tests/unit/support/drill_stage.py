"""A scripted ground for trials: time passes with every look, and each look says what the test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from keybuzz.engine.drill.ledger import Ledger, Writer
from keybuzz.engine.drill.trial import BASELINE, Sight, TrialRun
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.live import Live
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Scenario, Tally, Trial, Workload, tally
from keybuzz.site.drill import Drill
from tasks.patroni.service import POSTGRESQL

VICTIM = "db-1"
LIVE = Live("demo", (), {}, {}, frozenset())
PROMISED = Workload(POSTGRESQL, "10.0.0.10", 5432, "app", Secret("P", "x"))
DRILL = Drill(
    "demo",
    workload=lambda site, scenario: PROMISED,
    not_recovered=lambda live, scenario, victim: None,
    leader=lambda live: VICTIM,
    limit=20.0,
)


class ScriptedWriter(Writer):
    """Has no thread: the ground writes into its ledger."""

    def __init__(self, ground: Stage) -> None:
        self.ledger = Ledger()
        self.ground = ground

    def start(self) -> None:
        self.ground.did.append("start")
        if not self.ground.endpoint:
            raise KbzError("Connection refused")
        for number in range(self.ground.baseline):
            self.ledger.confirmed[number] = self.ground.now

    def stop(self) -> None:
        self.ground.did.append("stop")

    def settle(self) -> Tally:
        if self.ground.unreadable:
            raise KbzError("nobody answers")
        found = set(self.ledger.confirmed) - self.ground.loses
        return tally(self.ledger.confirmed, self.ledger.unknown, found)

    def remove(self) -> None:
        self.ground.did.append("remove")


@dataclass
class Stage:
    """The world, as a test writes it. `outage` is for how many looks after the fault no write is acknowledged."""

    endpoint: bool = True
    baseline: int = BASELINE
    outage: int = 3
    green: Callable[[int], str] = lambda look: ""
    """Number of looks since the restoration (0 before it) to why the cluster is not green."""
    troubles: Callable[[int], frozenset[str]] = lambda look: frozenset()
    """Number of looks since the fault."""
    on_look: Callable[[int], None] = lambda look: None
    on_inject: Callable[[], None] = lambda: None
    restores_fail: int = 0
    unhealed: Callable[[int], str] = lambda look: ""
    """Number of looks since the restoration."""
    heals_fail: int = 0
    isolated: tuple[bool | None, str] = (None, "")
    on_say: Callable[[], None] = lambda: None
    loses: frozenset[int] = frozenset()
    unreadable: bool = False
    now: float = 100.0
    did: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    writers: list[ScriptedWriter] = field(default_factory=list)
    since_fault: int = 0
    since_restore: int = 0

    def look(self, victim: str = "", *, silent: bool = False) -> Sight:
        self.now += 1.0
        broken, restored = "inject" in self.did, "restored" in self.did
        self.since_fault += broken
        self.since_restore += restored
        if not broken or restored or self.since_fault > self.outage:
            self._write()
        if broken and not restored:
            self.on_look(self.since_fault)
        self.did.append("look silent" if silent else "look")
        return Sight(
            LIVE,
            self.green(self.since_restore),
            self.unhealed(self.since_restore) if restored and "healed" not in self.did else "",
            self.troubles(self.since_fault),
        )

    def _write(self) -> None:
        for writer in self.writers:
            confirmed = writer.ledger.confirmed
            confirmed[len(confirmed)] = self.now

    def writer(self, workload: Workload) -> ScriptedWriter:
        self.writers.append(ScriptedWriter(self))
        return self.writers[-1]

    def inject(self, scenario: Scenario, victim: str) -> None:
        self.did.append("inject")
        self.on_inject()

    def restore(self, scenario: Scenario, victim: str) -> None:
        self.now += 1.0
        self.restores_fail -= 1
        if self.restores_fail >= 0:
            self.did.append("restore failed")
            raise KbzError("the host does not start")
        self.did.append("restored")

    def say(self, sentence: str) -> None:
        self.on_say()
        self.said.append(sentence)
        self.did.append(f"say {sentence}")

    def heal(self, victim: str) -> None:
        self.heals_fail -= 1
        if self.heals_fail >= 0:
            raise KbzError("docker does not answer")
        self.did.append("healed")

    def isolated_write(self, victim: str) -> tuple[bool | None, str]:
        self.did.append("isolated write")
        return self.isolated

    def run(
        self,
        scenario: Scenario = Scenario.CONTAINER_KILLED,
        workload: Workload = PROMISED,
        drill: Drill = DRILL,
        stop: threading.Event | None = None,
    ) -> Trial:
        return TrialRun(
            self,
            drill,
            workload,
            scenario,
            VICTIM,
            stop or threading.Event(),
            self.say,
            lambda: self.now,
            poll=0.0,
        ).run()
