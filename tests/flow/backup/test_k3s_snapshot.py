"""What a server of K3s does for a backup: a snapshot and its token go out, and nothing of it stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from k3s_stand_in.snapshots import bolt

from tasks.backup.on_host import etcd
from tasks.backup.store.k3s import TAKE_SCRIPT

TOKEN = "a-token-of-a-test"
PROGRAM = """#!/bin/sh
folder={state}/configured
[ "$1" = etcd-snapshot ] || exit 9
verb=$2
shift 2
while [ $# -gt 0 ]; do
    case $1 in
    --etcd-snapshot-dir) folder=$2; shift ;;
    --name) name=$2; shift ;;
    *) name=$1 ;;
    esac
    shift
done
case $verb in
save) {save} ;;
delete) rm "$folder/$name" ;;
*) exit 9 ;;
esac
"""
"""As K3s whose configuration names a folder of its own for snapshots."""
SAVES = 'cp {state}/whole "$folder/$name-a-master-17{suffix}"; echo saved'


class Master:
    """A server's folder, and a program in the place of K3s."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "server"
        self.snapshots = self.state / "db" / "snapshots"
        self.snapshots.mkdir(parents=True)
        self.configured = self.state / "configured"
        self.configured.mkdir()
        key = etcd.storage_key(TOKEN).decode()
        (self.state / "whole").write_bytes(bolt.snapshot({key: b"sealed", "/registry/a": b"x"}))
        (self.state / "token").write_text(f"K10abc::server:{TOKEN}\n")
        self.saves(SAVES)

    def saves(self, save: str, suffix: str = "") -> None:
        program = self.root / "k3s"
        words = save.format(state=self.state, suffix=suffix)
        program.write_text(PROGRAM.format(state=self.state, save=words))
        program.chmod(0o755)

    def take(self) -> subprocess.CompletedProcess[bytes]:
        script = TAKE_SCRIPT.replace("/usr/local/bin/k3s", str(self.root / "k3s"))
        script = script.replace("/var/lib/rancher/k3s/server", str(self.state))
        return subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=60)


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def test_both_go_out_and_the_server_keeps_its_own_alone(master: Master, tmp_path: Path) -> None:
    own = master.snapshots / "etcd-snapshot-a-master-16"
    for path in (own, master.snapshots / "kbz-backup-a-master-16"):
        path.write_bytes(b"of before")
    done = master.take()
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    out.mkdir()
    untar = ["tar", "--extract", "--no-same-owner", "--directory", str(out), "--file", "-"]
    subprocess.run(untar, input=done.stdout, check=True)
    assert sorted(path.name for path in out.iterdir()) == [etcd.SNAPSHOT, etcd.TOKEN]
    assert etcd.main("", [str(out)]) == 0
    assert list(master.snapshots.iterdir()) == [own]
    assert not list(master.configured.iterdir())


@pytest.mark.parametrize(
    ("save", "suffix", "said"),
    [
        ("echo etcdserver: no leader >&2; exit 1", "", "no leader"),
        ("true", "", "and none is in"),
        (SAVES, ".zip", "etcd-snapshot-compress is set"),
    ],
)
def test_without_a_snapshot_it_fails_and_says_why(
    master: Master, save: str, suffix: str, said: str
) -> None:
    master.saves(save, suffix)
    done = master.take()
    assert done.returncode != 0
    assert said in done.stderr.decode()
    assert not done.stdout
    assert not list(master.snapshots.iterdir())


def test_without_a_token_nothing_goes_out(master: Master) -> None:
    (master.state / "token").unlink()
    done = master.take()
    assert done.returncode != 0
    assert b"token is not there" in done.stderr
    assert not done.stdout
