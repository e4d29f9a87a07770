"""Every kind and every reading, asked in a session that looks, under the eyes of strace: nothing is written.

The host is a scratch host without a network, so that what asks daemons ends there; what they may be asked is judged
word by word in tests/unit/agent/test_access.py.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent import kinds, parts
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import describe_all
from keybuzz.model.core.access import Access
from keybuzz.transport.local import LocalLink
from tests.flow.support.agent_host import KEY, ScratchHost, scratch_host
from tests.flow.support.connections import may
from tests.flow.support.sshd import until
from tests.unit.support.site_values import memory_nornir, memory_site

CALLS = (
    *("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"),
    *("symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat"),
    *("lchown", "utime", "utimes", "utimensat", "futimesat", "truncate", "ftruncate"),
    *("setxattr", "lsetxattr", "fsetxattr", "mount", "umount2"),
)
OPENED = re.compile(r"\bopen(?:at2?)?\(")
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
HARMLESS = re.compile(r'"/dev/(?:null|tty)"|"/proc/self/coredump_filter"')
ACCESS: dict[str, Any] = {
    **dict.fromkeys(("address", "container", "user", "password", "former"), "127.0.0.1"),
    "port": 9,
    "sentinel_port": 9,
    "url": "http://127.0.0.1:9",
    "seen": "",
    "objects": (),
}
TRACED = """\
#!/bin/sh
exec strace -f -qq -e signal=none -e trace={calls} -o {log} {python} "$@"
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ScratchHost]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed here")
    made = scratch_host(tmp_path / "host")
    (made.root / "run" / "sshd").mkdir()
    for program in ("systemctl", "sshd", "iptables", "journalctl", "date", "dpkg"):
        made.install(program, "exit 1")
    yield made
    until(lambda: not made.agents(), "the agents to end")


def traced(host: ScratchHost) -> Path:
    """Put strace before the agent's own Python; return the log."""
    log = host.root / "trace.log"
    real = host.root / "bin" / "agent-python"
    wrapper = host.root / "bin" / "traced"
    wrapper.write_text(TRACED.format(calls=",".join(CALLS), log=log, python=real))
    wrapper.chmod(0o755)
    script = host.python.read_text().replace("unshare --mount", "unshare --mount --net")
    host.python.write_text(script.replace(str(real), str(wrapper)))
    return log


def everything() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a query of each kind of resource, and the readings of every module on its first server."""
    site = memory_site()
    nornir = memory_nornir(site)
    resources: dict[str, dict[str, Any]] = {}
    readings: list[dict[str, Any]] = []
    for module in all_modules():
        first = site.members(module.group)[0].name
        chosen = nornir.filter(filter_func=lambda host, name=first: host.name == name)
        found = describe_all(chosen, (module,))[first].modules[module.name]
        for resource in (*found.resources, *found.cluster):
            resources.setdefault(resource.kind, dict(resource.query()))
        readings += [r.query() for r in found.readings if r.needs is Access.LOOK]
    for kind in (*kinds._MODULES, *parts.table(parts.KINDS)):
        # What only verbs that change ask for has the fields of its neighbours; a missing one is that kind's problem.
        resources.setdefault(kind, {**ACCESS, "kind": kind, "name": "x"})
    return list(resources.values()), readings


def test_nothing_is_written_for_any_kind_or_reading(host: ScratchHost) -> None:
    log = traced(host)
    link = LocalLink()
    extras = {"name": "db-01", "python": str(host.python)}
    resources, readings = everything()
    of_modules = parts.table(parts.KINDS)
    assert {query["kind"] for query in resources} == {*kinds._MODULES, *of_modules}
    link.open("127.0.0.1", None, None, None, None, extras, may(Access.LOOK))
    before = snapshot(
        host
    )  # not sooner: the `mount` of a scratch host leaves a folder below its /run
    payload = {"key": KEY.key.hex(), "resources": resources, "readings": readings}
    reply = link.connection.request("probe", payload, dict[str, Any], timeout=120)
    link.close()
    until(lambda: not host.agents(), "the agent to end")
    assert len(reply["states"]) == len(resources)
    assert "only looks" not in str(reply), "a reader tried to write, and was stopped"
    lines = log.read_text().splitlines()
    assert any("openat" in line for line in lines), "it was traced"
    assert [line for line in lines if writes(line)] == []
    assert snapshot(host) == before


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('7 openat(AT_FDCWD, "/etc/x", O_WRONLY|O_CREAT, 0600) = 3', True),
        ('7 openat(AT_FDCWD, "/etc/x", O_RDONLY|O_CLOEXEC) = 3', False),
        ('7 mkdir("/run/sshd", 0755) = 0', True),
        ("7 fchmod(3, 0644) = 0", True),
        ('7 mkdir("/run/sshd", 0755) = -1 EEXIST (File exists)', False),
        ('7 openat(AT_FDCWD, "/dev/null", O_RDWR) = 3', False),
    ],
)
def test_a_write_is_seen_in_the_trace(line: str, found: bool) -> None:
    assert writes(line) is found


def writes(line: str) -> bool:
    if HARMLESS.search(line) or (line.rstrip().endswith(")") and " = -1 " in line):
        return False
    return bool(WRITING.search(line)) if OPENED.search(line) else "(" in line


def snapshot(host: ScratchHost) -> dict[str, tuple[int, int, int, int]]:
    """Return mode, owner, size and the moment of the last change of everything below the scratch folders."""
    found = {}
    for name in ("var-lib", "run", "programs", "files"):
        for path in sorted((host.root / name).rglob("*")):
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_uid, status.st_size, status.st_ctime_ns)
    return found
