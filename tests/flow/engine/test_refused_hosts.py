"""Hosts that cannot, or must not, be talked to; and the way through a bastion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nornir.core.configuration import Config

from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.transport.link import session_of
from tests.flow.support.sshd import make_key, running

if TYPE_CHECKING:
    from tests.flow.support.connections import Loopback


def test_an_unknown_host_key_is_refused(loopback: Loopback, ssh_link: str, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("# nobody yet\n")
    with pytest.raises(ContactError, match="not pinned") as caught:
        loopback.session(ssh_link, known_hosts=str(known_hosts))
    assert "kbz hosts trust web-01" in caught.value.hint
    assert not caught.value.inside_step
    assert known_hosts.read_text() == "# nobody yet\n"


def test_a_missing_known_hosts_file_trusts_nobody(
    loopback: Loopback, ssh_link: str, tmp_path: Path
) -> None:
    with pytest.raises(ContactError, match="not pinned"):
        loopback.session(ssh_link, known_hosts=str(tmp_path / "missing"))
    assert not (tmp_path / "missing").exists()


def test_a_changed_host_key_is_refused_loudly(
    loopback: Loopback, ssh_link: str, tmp_path: Path
) -> None:
    known_hosts = loopback.server.pin(tmp_path / "known_hosts", make_key(tmp_path / "former"))
    before = known_hosts.read_bytes()
    with pytest.raises(ContactError, match="HOST KEY HAS CHANGED") as caught:
        loopback.session(ssh_link, known_hosts=str(known_hosts))
    assert caught.value.where == "web-01"
    assert known_hosts.read_bytes() == before


def test_a_key_that_may_not_log_in_is_named(
    loopback: Loopback, ssh_link: str, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(ContactError) as caught:
        loopback.session(ssh_link, key_filename=str(stranger))
    assert caught.value.where == "web-01"
    assert "root" in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o777])
def test_a_private_key_that_others_can_read_is_not_used(
    loopback: Loopback, ssh_link: str, tmp_path: Path, mode: int
) -> None:
    key = tmp_path / "key"
    key.write_bytes(loopback.server.key.read_bytes())
    key.chmod(mode)
    with pytest.raises(ContactError, match=f"has mode {mode:04o}") as caught:
        loopback.session(ssh_link, key_filename=str(key))
    assert f"chmod 600 {key}" in caught.value.hint
    key.chmod(0o400)
    session = loopback.session(ssh_link, key_filename=str(key))
    assert session.execute(["true"], timeout=10).exit_code == 0


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_private_key_that_is_no_file_is_told(
    loopback: Loopback, ssh_link: str, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ContactError, match="the private key") as caught:
        loopback.session(ssh_link, key_filename=str(tmp_path / name))
    assert caught.value.where == "web-01"


def test_a_closed_port_is_a_contact_error(loopback: Loopback, ssh_link: str) -> None:
    host = loopback.host(ssh_link)
    host.port = 1
    with pytest.raises(ContactError, match=r"nothing answers at 127\.0\.0\.1:1"):
        session_of(host, ssh_link, Config())


def test_a_host_without_python_is_told(loopback: Loopback, link: str) -> None:
    with pytest.raises(ContactError, match="could not be started") as caught:
        loopback.session(link, python="/nonexistent/python3")
    assert "python" in caught.value.hint


def test_through_a_bastion(loopback: Loopback, ssh_link: str, tmp_path: Path) -> None:
    with running(tmp_path, forwarding="yes") as bastion:
        (tmp_path / "authorized_keys").write_text(
            loopback.server.key.with_suffix(".pub").read_text()
        )
        both = tmp_path / "both"
        both.write_text(bastion.known_hosts.read_text() + loopback.server.known_hosts.read_text())
        way = {"known_hosts": str(both), "bastion": f"127.0.0.1:{bastion.port} root"}
        session = loopback.session(ssh_link, **way)
        assert session.execute(["echo", "through"], timeout=10).stdout == "through\n"
        session.close()


def test_a_hardened_host_is_no_bastion(loopback: Loopback, ssh_link: str) -> None:
    with pytest.raises(ContactError, match="opens no way"):
        loopback.session(ssh_link, bastion=f"127.0.0.1:{loopback.server.port}")


def test_an_option_that_does_not_exist_is_refused(loopback: Loopback, ssh_link: str) -> None:
    with pytest.raises(InputError, match="unknown connection option knwon_hosts"):
        loopback.session(ssh_link, knwon_hosts="/etc/ssh/ssh_known_hosts")


@pytest.mark.parametrize("bastion", ["gate:ssh", ":22 root", " root"])
def test_a_bastion_that_can_not_be_read_is_refused(
    loopback: Loopback, ssh_link: str, bastion: str
) -> None:
    with pytest.raises(InputError, match="is not `host:port user`"):
        loopback.session(ssh_link, bastion=bastion)
