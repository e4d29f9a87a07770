"""What a first run needs of a host: package sources, mounts and fstab are read as Debian writes them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from keybuzz.agent.guard import mounts
from keybuzz.agent.host import readiness

DEB822 = """Types: deb
URIs: http://deb.debian.org/debian https://mirror.example:8443/debian
Suites: bookworm
"""
MOUNTS = """\
24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 24 8:16 / /opt/keybuzz/redis rw,noatime shared:2 - xfs /dev/sdb rw
"""
FSTAB = """\
# comment / of nothing
UUID=1 / ext4 defaults 0 1
/dev/disk/by-id/scsi-0HC_Volume_7 /opt/keybuzz/redis xfs nofail 0 0
UUID=2 none swap sw 0 0
"""


def test_sources_of_both_forms_are_each_told_once(tmp_path: Path) -> None:
    more = tmp_path / "sources.list.d"
    more.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example x\ndeb http://deb.debian.org/debian bookworm main\n"
        "deb [signed-by=/x.asc] https://download.docker.com/linux/debian bookworm stable\n"
        "deb cdrom:[disc]/ bookworm main\n"
    )
    (more / "debian.sources").write_text(DEB822)
    (more / "old.save").write_text("deb http://saved.example x\n")
    assert readiness.sources(str(tmp_path)) == [
        "http://deb.debian.org",
        "https://download.docker.com",
        "https://mirror.example:8443",
    ]


def test_a_login_is_not_told_and_what_is_not_in_use_is_no_source(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "private.sources").write_text(
        "Types: deb\nURIs: https://user:pa55word@apt.example.com/x\nSuites: stable\n\n"
        "Types: deb\nURIs: https://off.example.com\nEnabled: no\n\n"
        "Types: deb-src\nURIs: https://source.example.com\n"
    )
    assert readiness.sources(str(tmp_path)) == ["https://apt.example.com"]


def test_no_source_at_all_and_a_proxy_are_told_apart(tmp_path: Path) -> None:
    assert readiness.sources(str(tmp_path)) == []
    assert not readiness.has_proxy(str(tmp_path))
    (tmp_path / "apt.conf.d").mkdir()
    conf = tmp_path / "apt.conf.d" / "90proxy"
    conf.write_text('// Acquire::http::Proxy "http://x";\n')
    assert not readiness.has_proxy(str(tmp_path))
    conf.write_text('Acquire::http::Proxy "http://10.0.0.20:3142";\n')
    assert readiness.has_proxy(str(tmp_path))


def test_mounts_and_fstab() -> None:
    found = [(point, kind) for point, kind, _ in mounts.entries(MOUNTS)]
    assert found == [("/", "ext4"), ("/opt/keybuzz/redis", "xfs")]
    spaced = "/dev/sdb\\0401 /opt/with\\040space/ xfs defaults\n"
    assert list(readiness.fstab(spaced)) == [("/dev/sdb 1", "/opt/with space")]
    assert list(readiness.fstab(FSTAB)) == [
        ("UUID=1", "/"),
        ("/dev/disk/by-id/scsi-0HC_Volume_7", "/opt/keybuzz/redis"),
    ]


def test_mount_units_that_a_start_pulls_in(tmp_path: Path) -> None:
    wanted = tmp_path / "multi-user.target.wants"
    wanted.mkdir()
    for name, where in (("a", "/opt/a"), ("b", "/opt/b/"), ("off", "/opt/off"), ("odd", "opt")):
        text = (
            f"[Unit]\nAfter=x\n[Mount]\nWhat=/dev/disk/by-uuid/{name}\nWhere = {where}\nType=xfs\n"
        )
        (tmp_path / f"{name}.mount").write_text(text)
    for link in ("a.mount", "b.automount", "odd.mount"):
        (wanted / link).symlink_to(tmp_path / "a.mount")
    assert list(readiness.mount_units(str(tmp_path))) == [
        ("/dev/disk/by-uuid/a", "/opt/a"),
        ("/dev/disk/by-uuid/b", "/opt/b"),
    ]
    assert list(readiness.mount_units(str(tmp_path / "none"))) == []


def test_other_firewalls_that_start_with_the_system(tmp_path: Path) -> None:
    for place, name in (
        ("sysinit.target.wants", "nftables.service"),
        ("multi-user.target.wants", "ufw.service"),
    ):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).symlink_to("/dev/null")
    (tmp_path / "firewalld.service").write_text("installed, and not enabled")
    assert readiness.firewalls(str(tmp_path)) == ["nftables.service"]
    assert readiness.firewalls(str(tmp_path / "none")) == []


@pytest.fixture
def closed() -> int:
    """Return a port of loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_what_listens_is_reached_and_what_refuses_is_told(closed: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert readiness._reach(f"http://127.0.0.1:{port}") == ""
    assert "Connection refused" in readiness._reach(f"http://127.0.0.1:{closed}")


def test_a_load_balancer_that_refuses_is_there(closed: int) -> None:
    assert readiness._answers("127.0.0.1", [closed]) == ""
