"""How K3s starts: by its own configuration, or once by another one, which lies in /run and ends with the boot.

The other configuration is the steady one with its `server` replaced: by `cluster-init` for the first server of a new
cluster, or by the server to join at while the usual one is away. The steady file never holds either.
"""

from __future__ import annotations

import os
import re
import shutil

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.atomic import discard, replacing
from keybuzz.agent.runtime.children import run
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

PROGRAM = "/usr/local/bin/k3s"
CONFIG = "/etc/rancher/k3s/config.yaml"
ETCD = "/var/lib/rancher/k3s/server/db/etcd/member"
FOLDER = "/run/kbz-k3s"
UNITS = "/run/systemd/system"
FIRST = "cluster-init"
_SERVER = re.compile(r"(?m)^server: .*$")
_BY = re.compile(r"(?m)^# by: (\S+)$")


def _drop_in(unit: str) -> str:
    return f"{UNITS}/{unit}.d/kbz-start.conf"


def read_k3s_start(query: Query, context: Context) -> State:
    """Read what the drop-in of a step says; without one K3s starts by its own configuration."""
    del context
    try:
        found = _BY.search(opener.text(_drop_in(query["name"]), opener.SMALL))
    except FileNotFoundError:
        return {"present": True, "attributes": {"by": ""}}
    return {"present": True, "attributes": {"by": found[1] if found else "(by hand)"}}


def write_k3s_start(order: Query, context: Context) -> None:
    """Make the step, or take it away. A server that holds data never becomes the first of a new cluster."""
    del context
    if order["by"] == FIRST and opener.is_folder(ETCD):
        raise AgentError(
            f"{ETCD} holds the data of a cluster; a server with data never starts as a first one",
            "kbz health k3s",
            outcome="refused",
        )
    path = _drop_in(order["name"])
    shutil.rmtree(FOLDER, ignore_errors=True)
    if order["by"]:
        _prepare(order["by"])
        opener.make_folders(os.path.dirname(path))
        command = f"{PROGRAM} {order['command']} --config {FOLDER}/config.yaml"
        text = (
            f"# Managed by kbz, for one start.\n# by: {order['by']}\n"
            f"[Service]\nExecStart=\nExecStart={command}\n"
        )
        with replacing(path, text.encode()):
            pass
    else:
        discard(path)
    done = run(["systemctl", "daemon-reload"], timeout=60)
    if done.exit_code != 0:
        raise AgentError(f"systemctl daemon-reload failed: {done.stderr.decode(errors='replace')}")


def _prepare(by: str) -> None:
    """Write the other configuration beside the same additions."""
    line = "cluster-init: true" if by == FIRST else f'server: "{by}"'
    text, number = _SERVER.subn(lambda _: line, opener.text(CONFIG, opener.SMALL))
    if number != 1:
        raise AgentError(f"{CONFIG} has {number} lines `server`, and must have one", "kbz run k3s")
    opener.make_folders(FOLDER, 0o700)
    opener.make_folders(f"{FOLDER}/config.yaml.d", 0o700)
    additions = opener.names(f"{CONFIG}.d") if opener.is_folder(f"{CONFIG}.d") else []
    for name in additions:
        if name.endswith(".yaml"):
            content = opener.read(f"{CONFIG}.d/{name}", opener.SMALL, final=True)
            with replacing(f"{FOLDER}/config.yaml.d/{name}", content, mode=0o600):
                pass
    with replacing(f"{FOLDER}/config.yaml", text.encode(), mode=0o600):
        pass
