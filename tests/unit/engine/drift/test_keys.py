"""Who may log in with an SSH key: each key of each account, by its fingerprint, but those of kbz and described ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from keybuzz.agent.host import keys
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift import strays
from keybuzz.model.core.reading import Answer
from keybuzz.transport.ssh.own_keys import own_fingerprints
from tests.unit.support.site_values import memory_site

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return root's .ssh; app has none."""
    folder = tmp_path / "root" / ".ssh"
    folder.mkdir(parents=True)
    passwd = tmp_path / "passwd"
    passwd.write_text(
        f"root:x:0:0::{folder.parent}:/bin/sh\napp:x:9:9::{tmp_path}/app:/bin/sh\n+\n"
    )
    monkeypatch.setattr(keys, "PASSWD", str(passwd))
    return folder


def test_a_key_is_told_with_its_account_and_comment(home: Path) -> None:
    (home / "authorized_keys").write_text(
        f"# {PUBLIC} old\n\n{PUBLIC} someone@else where\nno key\n"
    )
    unread, [account, fingerprint, what] = keys.keys()
    assert (account, what) == ("root", "ssh-ed25519 someone@else where")
    assert unread == ["root", f"{home}/authorized_keys:4", "holds no key that can be read"]
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(home / "authorized_keys")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert fingerprint in shown.stdout.split()


def _made(folder: Path, name: str) -> tuple[str, str]:
    """Return a new key's line and its fingerprint."""
    path = folder / name
    words = ["ssh-keygen", "-qt", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(words, check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True
    )
    return path.with_name(f"{name}.pub").read_text().strip(), shown.stdout.split()[1]


@pytest.mark.parametrize(
    "options",
    [
        'environment="A= {decoy} x" ',
        'command="sync \\" {decoy} \\"" ',
        'no-pty,command="{decoy}",from="10.0.0.1"\t',
        'a\\"b"c {decoy} d"e ',
        "cert-authority ",
    ],
)
def test_the_key_is_the_one_that_sshd_reads(home: Path, tmp_path: Path, options: str) -> None:
    """A known key in the options of another one must not vouch for it."""
    (decoy, _), (key, fingerprint) = _made(tmp_path, "decoy"), _made(tmp_path, "other")
    file = home / "authorized_keys"
    file.write_text(f"{options.format(decoy=decoy)}{key}\n")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(file)], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == fingerprint
    assert keys.keys() == [["root", fingerprint, "ssh-ed25519 other with options of its own"]]


def test_options_are_told_without_their_content(home: Path) -> None:
    """A forced command may hold a password."""
    (home / "authorized_keys2").write_text(f'command="sync --password needle",no-pty {PUBLIC}\n')
    [[_, _, what]] = keys.keys()
    assert what == "ssh-ed25519 without a comment with options of its own"


def test_a_file_that_cannot_be_read_is_told_in_the_place_of_its_keys(home: Path) -> None:
    (home / "authorized_keys").mkdir()
    [[account, path, what]] = keys.keys()
    assert (account, path) == ("root", f"{home}/authorized_keys")
    assert "cannot be read" in what


def test_only_keys_that_nobody_described_are_strays(tmp_path: Path) -> None:
    site, every = memory_site(), all_modules()
    host = site.servers[0].name
    parts = ("containers", "units", "cron", "ports", "files", "doors", "additions")
    value = {
        **{part: [] for part in parts},
        "problems": {},
        "truncated": [],
        "keys": [["root", "SHA256:own", "ssh-ed25519 kbz"], ["root", "SHA256:x", "ssh-rsa other"]],
    }
    known = strays.explained(site, site.server(host), every)
    own = type(known)(
        **{name: getattr(known, name) for name in known.__slots__ if name != "keys"},
        keys=frozenset({"SHA256:own"}),
    )
    told = strays.strays(host, own, frozenset(), Answer(strays.READING, value))
    assert [(item.identity, item.what) for item in told] == [
        (f"stray/{host}/key:SHA256:x of root", "may log in as root: ssh-rsa other")
    ]


def test_the_controllers_own_key_is_known_by_both_halves(tmp_path: Path) -> None:
    path = tmp_path / "id"
    words = ["ssh-keygen", "-qt", "ed25519", "-N", "", "-C", "kbz", "-f", str(path)]
    subprocess.run(words, check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True
    )
    assert own_fingerprints(path) == {shown.stdout.split()[1]}
    path.write_text("a key that kbz cannot load\n")
    assert own_fingerprints(path) == {shown.stdout.split()[1]}
    path.with_name("id.pub").unlink()
    assert own_fingerprints(path) == frozenset()


def test_a_key_with_a_passphrase_is_known_without_it(tmp_path: Path) -> None:
    path = tmp_path / "id"
    words = ["ssh-keygen", "-qt", "ed25519", "-N", "a passphrase", "-f", str(path)]
    subprocess.run(words, check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{path}.pub"], capture_output=True, text=True, check=True
    )
    path.with_name("id.pub").unlink()
    assert own_fingerprints(path) == {shown.stdout.split()[1]}


def test_whose_agent_is_there_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal often has one and cron has none: drift must tell both the same."""

    def asked() -> None:
        raise AssertionError("an ssh-agent was asked")

    monkeypatch.setattr("paramiko.Agent", asked)
    assert own_fingerprints(Path()) == frozenset()
