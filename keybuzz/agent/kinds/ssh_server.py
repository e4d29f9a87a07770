"""sshd: its effective options, its drop-in, a reload with the undo armed."""

from __future__ import annotations

import os
import shlex

from keybuzz.agent import undo
from keybuzz.agent.children import run as run_child
from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.context import Context
    from keybuzz.agent.kinds import Query, State


def read_ssh_server(query: Query, context: Context) -> State:
    """Read what `sshd -T` says about the options, which is what sshd does."""
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    done = run_child(["sshd", "-T"], timeout=10)
    if done.exit_code != 0:
        raise AgentError(f"sshd -T fails: {done.stderr.decode(errors='replace').strip()}", "")
    effective = dict(
        line.split(" ", 1) for line in done.stdout.decode().splitlines() if " " in line
    )
    # sshd prints the old name of the value that we write with its new name.
    if effective.get("permitrootlogin") == "without-password":
        effective["permitrootlogin"] = "prohibit-password"
    found = {option: effective.get(option, "(not known)") for option in query["options"]}
    return {"present": True, "attributes": {**found, "confirmed": not undo.armed("ssh-server")}}


def write_ssh_server(order: Query, context: Context) -> None:
    """Write the drop-in, test it, arm the undo, reload; the controller confirms over a new connection."""
    path = order["path"]
    kept = "/run/kbz-undo-sshd.conf"
    quoted, quoted_kept = shlex.quote(path), shlex.quote(kept)
    if os.path.exists(path):
        with open(path, "rb") as old, open(kept, "wb") as copy:
            copy.write(old.read())
        restore = f"cp {quoted_kept} {quoted}"
    else:
        restore = f"rm -f {quoted}"
    temporary = f"{path}.kbz-new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(order["text"])
        file.flush()
        os.fsync(file.fileno())
    undo.arm("ssh-server", f"{restore}; systemctl reload ssh")
    os.rename(temporary, path)
    done = run_child(["sshd", "-t"], timeout=10)
    if done.exit_code != 0:
        run_child(["sh", "-c", restore], timeout=10)
        undo.disarm("ssh-server")
        raise AgentError(
            f"sshd does not accept the new options: {done.stderr.decode(errors='replace').strip()}",
            "the old options are still in force",
        )
    done = run_child(["systemctl", "reload", "ssh"], timeout=30)
    if done.exit_code != 0:
        raise AgentError(
            f"systemctl reload ssh failed: {done.stderr.decode(errors='replace').strip()}",
            f"the old options come back within {undo.SECONDS} s",
        )
