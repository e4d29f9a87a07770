"""Who ran a command: what the kernel and sshd say, and not what anybody can write into an environment."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from keybuzz.engine.memory.lock import leases, read_holder
from keybuzz.engine.memory.who import this_caller

ROOT = Path(__file__).parents[4]
TELL = """
import os, sys
sys.path.insert(0, sys.argv[1])
from keybuzz.engine.memory.who import this_caller
this_caller()  # all is imported before another user must be able to read it
uid = int(sys.argv[2])
if os.geteuid() == 0 and uid:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
print(this_caller().text())
"""
FORGED = {"LOGNAME": "mallory", "USER": "mallory", "LNAME": "mallory", "USERNAME": "mallory"}


def told(uid: int, **environment: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", TELL, str(ROOT), str(uid)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_user_is_the_uid_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FORGED.items():
        monkeypatch.setenv(name, value)
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert this_caller().user == name
    with leases(tmp_path / "leases", ("redis",), "kbz run"):
        holder = read_holder(tmp_path / "leases" / "redis.lease")
    assert holder is not None
    assert holder.owner == this_caller().owner
    assert "mallory" not in holder.owner


def test_a_user_who_is_not_root_is_nobody_elses_sudo() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    assert told(0, SUDO_USER="alice")["sudo"] == "alice"
    other = told(65534, SUDO_USER="alice", **FORGED)
    assert (other["sudo"], other["user"]) == ("", pwd.getpwuid(65534).pw_name)


def test_a_user_without_a_name_is_told_by_his_number() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    assert told(54321)["user"] == "uid 54321"


def test_the_connection_is_the_one_that_sshd_told_the_first_process() -> None:
    """A shell that sets SSH_CONNECTION later does not change where its session comes from."""
    inner = (
        f"SSH_CONNECTION='203.0.113.9 1 192.0.2.1 22' {sys.executable} -c '{TELL}' {ROOT} 0; true"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", inner],
        env={**os.environ, "SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["address"] == "192.0.2.7"


def test_no_code_asks_the_environment_who_it_is() -> None:
    for folder in ("keybuzz", "tasks"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "getuser(" not in text, path
            assert "getlogin(" not in text, path
            assert 'environ.get("USER")' not in text, path
            assert 'environ.get("LOGNAME")' not in text, path
