"""sshd: its effective options, its drop-in, a reload with the undo armed."""

from __future__ import annotations

from keybuzz.agent.guard import opener
from keybuzz.agent.guard.questions import PRIVATE_SSHD
from keybuzz.agent.runtime import undo
from keybuzz.agent.runtime.atomic import discard, replace, replacing
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_KEPT = "/run/kbz-undo-sshd.conf"
"""The drop-in as it was last confirmed; not there when there was none."""
_TELL = (
    "if systemctl --quiet is-active ssh.socket; then systemctl try-restart ssh.service; "
    "else systemctl try-reload-or-restart ssh.service; fi"
)
"""Where ssh.socket listens, sshd may not run, and reads its files when it starts; one that runs cannot be reloaded: it
would not get its socket again, and end (OpenSSH 10). A restart loses no connection there: the socket stays open."""


def read_ssh_server(query: Query, context: Context) -> State:
    """Read what `sshd -T` says about the options, which is what sshd does."""
    argv = ["sshd", "-T"] if opener.is_folder("/run/sshd") else PRIVATE_SSHD
    done = run_child(argv, timeout=10)
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
    _keep(path)
    script = _undo_script(path)
    with replacing(path, order["text"].encode()):
        undo.arm("ssh-server", script)
    opener.make_folders("/run/sshd")
    done = run_child(["sshd", "-t"], timeout=10)
    if done.exit_code != 0:
        # With the reload: sshd may run with an earlier change that was not confirmed.
        run_child(["sh", "-c", script], timeout=30)
        undo.disarm("ssh-server")
        raise AgentError(
            f"sshd does not accept the new options: {done.stderr.decode(errors='replace').strip()}",
            "the old options are still in force",
        )
    done = run_child(["sh", "-c", _TELL], timeout=30)
    if done.exit_code != 0:
        raise AgentError(
            f"sshd did not take its new files: {done.stderr.decode(errors='replace').strip()}",
            f"the old options come back within {undo.SECONDS} s",
        )


def _keep(path: str) -> None:
    """Keep the drop-in for the undo, unless it is a change that still waits to be confirmed."""
    if undo.armed("ssh-server"):
        return
    discard(_KEPT)
    if opener.is_there(path):
        replace(_KEPT, opener.read(path, opener.SMALL))


def _undo_script(path: str) -> str:
    """Return the commands that bring back what was kept, which may be that there was no drop-in."""
    from shlex import quote  # only a change needs it, and it loads `re`

    quoted = quote(path)
    restore = f"cp {_KEPT} {quoted}" if opener.is_there(_KEPT) else f"rm -f {quoted}"
    return f"{restore}; {_TELL}"
