"""Debian packages, read from dpkg's own file and installed by apt-get."""

from __future__ import annotations

import os
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_STATUS = "/var/lib/dpkg/status"
_LISTS = "/var/lib/apt/lists"
_SOURCES = "/etc/apt/sources.list"
_DAY = 86400.0


def _status() -> bytes:
    """Return dpkg's file: a paragraph for each package, between empty lines."""
    with os.fdopen(opener.opened(_STATUS), "rb") as file:
        return b"\n" + file.read()


def _status_if_any() -> bytes:
    """Return dpkg's file; nothing on a host that has no dpkg."""
    try:
        return _status()
    except FileNotFoundError:
        return b""


def _installed(name: str, status: bytes) -> dict[str, object] | None:
    """Return version and hold of a package that dpkg has completely installed; of the last one, for two architectures.

    The names are searched for as a whole: most of the file is about packages that are not asked for.
    """
    found: dict[str, object] | None = None
    wanted = f"\nPackage: {name}\n".encode()
    start = status.find(wanted)
    while start >= 0:
        end = status.find(b"\n\n", start)
        paragraph = status[start : end if end >= 0 else len(status)]
        state = _field(paragraph, b"\nStatus: ")
        version = _field(paragraph, b"\nVersion: ")
        if version and state.endswith(" installed"):
            found = {"installed": True, "version": version, "held": state.startswith("hold ")}
        start = status.find(wanted, start + 1)
    return found


def owns(path: str, context: Context) -> bool:
    """Return whether dpkg keeps this file as a configuration file of a package, installed or removed and not purged."""
    return f"\n {path} ".encode() in context.once("packages", _status_if_any)


def has(name: str, context: Context) -> bool:
    """Return whether dpkg has anything of this package, completely installed or not."""
    status = context.once("packages", _status_if_any)
    start = status.find(f"\nPackage: {name}\n".encode())
    paragraph = status[start:].partition(b"\n\n")[0] if start >= 0 else b""
    state = _field(paragraph, b"\nStatus: ")
    return bool(state) and not state.endswith(" not-installed")


def _field(paragraph: bytes, name: bytes) -> str:
    return paragraph.partition(name)[2].partition(b"\n")[0].decode("utf-8", "replace").strip()


def read_package(query: Query, context: Context) -> State:
    """Say what dpkg has completely installed under that name."""
    found = _installed(query["name"], context.once("packages", _status))
    if found is None:
        return {"present": False, "attributes": {}}
    newer = bool(query["version"]) and _is_newer(str(found["version"]), query["version"])
    return {"present": True, "attributes": {**found, "newer": newer}}


def _is_newer(installed: str, wanted: str) -> bool:
    """Return whether a version is above another, as dpkg orders them."""
    if installed == wanted:
        return False
    done = run_child(["dpkg", "--compare-versions", installed, "gt", wanted], timeout=30)
    return done.exit_code == 0


def write_package(order: Query, context: Context) -> None:
    """Install one package, and hold it when it shall be held."""
    name, version = order["name"], order["version"]
    found = _installed(name, _status())
    if found is None or (version and found["version"] != version):
        there = str(found["version"]) if found else version
        older = _is_newer(there, version)
        if older and not order["downgrade"]:
            raise AgentError(
                f"{name} {there} is newer than {version}",
                "freeze the newer version, or allow the downgrade in site.yaml",
                outcome="refused",
            )
        _install(f"{name}={version}" if version else name, context, ["--allow-downgrades"] * older)
    if order["held"]:
        _apt(["apt-mark", "hold", name], f"apt-mark could not hold {name}", [])


def _install(what: str, context: Context, options: list[str]) -> None:
    """Let apt install it; waits for another apt instead of failing on its lock.

    Package lists that are missing or old are fetched first. That this failed matters only when apt cannot install.
    """
    complaint = context.once_in_request("apt-get update", _update_lists)
    words = [
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
        "--allow-change-held-packages",
    ]
    # --no-upgrade would also forbid a pinned version.
    upgrade = [] if "=" in what else ["--no-upgrade"]
    lock = ["-o", "DPkg::Lock::Timeout=120"]
    _apt([*words, *options, *upgrade, *lock, what], f"apt-get could not install {what}", complaint)


def _apt(words: list[str], failure: str, complaint: list[str]) -> None:
    done = run_child(words, timeout=600, env={"DEBIAN_FRONTEND": "noninteractive"})
    if done.exit_code != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise AgentError(
            f"{failure}: {' | '.join([*reason, *complaint])}",
            "check the package sources of the host, then run again",
        )


def _update_lists() -> list[str]:
    """Run `apt-get update` unless the lists are of today; return its last line when it failed."""
    if _lists_are_fresh():
        return []
    # Without the error mode, apt-get ends with 0 when it has reached no source at all.
    done = run_child(["apt-get", "update", "-o", "APT::Update::Error-Mode=any"], timeout=300)
    if done.exit_code == 0:
        # The files bear the times of their server, and the directory changes only when one of them does.
        os.utime(_LISTS)
        return []
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    reason = "no answer in time" if done.timed_out else lines[-1]
    return [f"apt-get update failed before: {reason}"]


def _lists_are_fresh() -> bool:
    try:
        names = opener.names(_LISTS)
    except FileNotFoundError:
        return False
    # The lists may lie there compressed: *_Packages.lz4.
    known = any("_Packages" in name for name in names)
    fetched = opener.status(_LISTS).st_mtime
    return known and time.time() - fetched < _DAY and fetched > _sources_changed()


def _sources_changed() -> float:
    """Return when a source of packages was last added or changed."""
    folder, single = f"{_SOURCES}.d", _SOURCES
    paths = [single, folder]
    try:
        paths += [os.path.join(folder, name) for name in opener.names(folder)]
    except FileNotFoundError:
        pass
    return max((opener.status(p).st_mtime for p in paths if opener.is_there(p)), default=0.0)
