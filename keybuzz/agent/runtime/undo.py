"""The dead-man undo: a transient systemd timer that takes a dangerous change back unless it is disarmed.

It is disarmed by a NEW connection of the controller. So a change that locks us out undoes itself (facts/02).
"""

from __future__ import annotations

import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

SECONDS = 60
_ENDS = 45
"""Seconds that an undo may take, once it works."""


def _unit(kind: str) -> str:
    return f"kbz-undo-{kind}"


def armed(kind: str) -> bool:
    """Return whether a change of this kind still waits for its confirmation."""
    return opener.is_there(f"/run/systemd/transient/{_unit(kind)}.timer")


def _works(kind: str) -> bool:
    done = run_child(["systemctl", "is-active", f"{_unit(kind)}.service"], timeout=15)
    return done.stdout.strip() in (b"active", b"activating", b"deactivating")


def arm(kind: str, script: str) -> None:
    """Start the countdown: after SECONDS the shell script runs, whether we still live or not."""
    disarm(kind)
    done = run_child(
        [
            "systemd-run",
            f"--unit={_unit(kind)}",
            f"--on-active={SECONDS}s",
            "--timer-property=AccuracySec=1s",
            "--description=kbz: undo a change that was not confirmed",
            "/bin/sh",
            "-c",
            script,
        ],
        timeout=15,
    )
    if done.exit_code != 0:
        raise AgentError(
            f"the undo timer could not be armed: {done.stderr.decode(errors='replace').strip()}",
            "nothing was changed; systemd-run must work on the host",
        )


def disarm(kind: str) -> None:
    """Stop the countdown; fine when there is none. One that has run out and works is let end: it is not cut in half."""
    run_child(["systemctl", "stop", f"{_unit(kind)}.timer"], timeout=15)
    until = time.monotonic() + _ENDS
    while _works(kind) and time.monotonic() < until:
        time.sleep(0.1)
    run_child(["systemctl", "reset-failed", f"{_unit(kind)}.service"], timeout=15)
