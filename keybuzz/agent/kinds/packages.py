"""Debian packages, read from dpkg's own file and installed by apt-get."""

from __future__ import annotations

from keybuzz.agent.children import run as run_child
from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.context import Context
    from keybuzz.agent.kinds import Query, State

_STATUS = "/var/lib/dpkg/status"


def _installed() -> frozenset[str]:
    names = set()
    name = ""
    with open(_STATUS, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Package: "):
                name = line[9:].strip()
            elif line.startswith("Status: ") and line.rstrip().endswith(" installed"):
                names.add(name)
    return frozenset(names)


def read_package(query: Query, context: Context) -> State:
    """Say whether dpkg has it completely installed."""
    installed = query["name"] in context.once("packages", _installed)
    return {"present": installed, "attributes": {"installed": True} if installed else {}}


def write_package(order: Query, context: Context) -> None:
    """Install one package; waits for another apt instead of failing on its lock."""
    done = run_child(
        [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "--no-upgrade",
            "-o",
            "DPkg::Lock::Timeout=120",
            order["name"],
        ],
        timeout=600,
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.exit_code != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise AgentError(
            f"apt-get could not install {order['name']}: {' | '.join(reason)}",
            "check the package sources of the host, then run again",
        )
