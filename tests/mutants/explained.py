"""Survivors that no test should kill, each with the reason: file, what stood there, what stands there, why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str, str], str] = {}
_GALERA = "tasks/galera/rollout.py"

EXPLAINED[
    _GALERA,
    """return f"the data was written by MariaDB {newest}; the frozen image opens {known[0] if known else 'none'}\"""",
    """return f"the data was written by MariaDB {newest}; the frozen image opens {known[ -1] if known else 'none'}\"""",
] = "a host describes its data once: the first is the last"
EXPLAINED[
    "tasks/rabbitmq/rollout.py",
    'several = "together" if len(hosts) > 1 else hosts[0]',
    'several = "together" if len(hosts) > 1 else hosts[ -1]',
] = "of one host the first is the last"
for _was, _now in (
    (
        'return Stage(f"replace {containers[0].host}", (containers[0],), after=after)',
        'return Stage(f"replace {containers[ -1].host}", (containers[0],), after=after)',
    ),
    (
        'return Stage(f"replace {containers[0].host}", (containers[0],), after=after)',
        'return Stage(f"replace {containers[0].host}", (containers[ -1],), after=after)',
    ),
    (
        "return hand_over(live, containers[0].host)",
        "return hand_over(live, containers[ -1].host)",
    ),
):
    EXPLAINED["tasks/patroni/rollout.py", _was, _now] = (
        "what is left is the one container of one host: the first is the last"
    )
for _now in ("lag or 1", "lag or -1", "lag and 0"):
    EXPLAINED[
        "tasks/patroni/rollout.py",
        "return min(awake, key=lambda name: (found[name].lag or 0, name))",
        f"return min(awake, key=lambda name: (found[name].{_now}, name))",
    ] = "of the two heirs of a cluster of three, one is left when the other is in maintenance"
_TAKER = "keybuzz/engine/change/taker.py"
EXPLAINED[
    _TAKER,
    "return [r for host in hosts for r in results_of(done[host][0], changes[host])]",
    "return [r for host in hosts for r in results_of(done[host][ -1], changes[host])]",
] = "a host runs one task in a stage: its first result is its last"
EXPLAINED[_TAKER, "chosen.data.reset_failed_hosts()", "pass"] = (
    "the look that follows every stage resets them too"
)
_LOCK = "keybuzz/engine/memory/lock.py"
EXPLAINED[_LOCK, "wait: float = 0.0,", "wait: float = -1.0,"] = (
    "a deadline that is now and one that is past both mean one try"
)
EXPLAINED[_LOCK, "os.ftruncate(descriptor, 0)", "os.ftruncate(descriptor, 1)"] = (
    "the record is written from the first byte on, and is longer than one"
)
EXPLAINED[
    _LOCK,
    "return open_private(path, os.O_RDWR | os.O_CREAT), False",
    "return open_private(path, os.O_RDWR | os.O_CREAT), True",
] = "the kernel is asked once more about a holder that there cannot be: only slower"
EXPLAINED[
    _TAKER,
    "self, module: Module, stage: Stage, failed: list[StepResult], *, trial: bool",
    "self, module: Module, stage: Stage, failed: list[StepResult], /, trial: bool",
] = "its one caller names the argument, which both allow"
_RECOVER = "keybuzz/engine/change/recover.py"
EXPLAINED[
    _RECOVER,
    "_bring_back(workspace, conductor, before, decided[0], named=operator.source)",
    "_bring_back(workspace, conductor, before, decided[ -1], named=operator.source)",
] = "one member is decided on: the first is the last"
EXPLAINED[
    "keybuzz/engine/change/freeze.py",
    "other = reached[0].resource.cluster_of",
    "other = reached[ -1].resource.cluster_of",
] = "no module reaches more than one other cluster: the first is the last"
EXPLAINED["tasks/qdrant/rollout.py", "continue", "break"] = "there is one node of Qdrant"
for _now in ("> 0:", ">= 1:"):
    EXPLAINED[
        "tasks/rabbitmq/rollout.py",
        "if not node.empty and 2 * len(lost) >= len(node.formed) > 1:",
        f"if not node.empty and 2 * len(lost) >= len(node.formed) {_now}",
    ] = "a node that was alone holds its data itself: nothing of its cluster is lost"
