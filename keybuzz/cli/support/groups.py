"""The verbs by what they are for, with examples: how `kbz --help` and the man page show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """Verbs of one purpose."""

    title: str
    verbs: tuple[str, ...]
    examples: tuple[str, ...]


SECTIONS = (
    Section(
        "Look (changes nothing)",
        (
            "status",
            "health",
            "plan",
            "adopt",
            "drift",
            "history",
            "explain",
            "report",
            "serve",
            "alerts",
            "notify",
            "bundle",
            "render",
        ),
        ("kbz status", "kbz plan base --limit db"),
    ),
    Section(
        "Change",
        (
            *("run", "restart", "switchover", "maintenance", "upgrade", "drill", "recover"),
            *("resume", "exec"),
        ),
        ("kbz run base --limit db", "kbz restart db-slave-01"),
    ),
    Section(
        "Keep",
        ("backup", "restore", "secrets", "versions", "hosts"),
        ("kbz secrets rotate postgres-app", "kbz versions check"),
    ),
    Section(
        "Site",
        ("preflight", "inventory", "lb", "policy", "apps", "workers"),
        ("kbz inventory --limit db", "kbz policy check ."),
    ),
    Section(
        "Lab",
        ("lab",),
        ("kbz lab up --limit db", "kbz lab status"),
    ),
    Section(
        "This program",
        ("help", "completion"),
        ("kbz help run", "kbz completion bash"),
    ),
)
