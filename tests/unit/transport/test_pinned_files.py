"""The files of pinned keys and machines: read as OpenSSH reads them, and refused where they are damaged or not safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.transport import machine_pins
from keybuzz.transport.machine_pins import Pin, forget_machine, read_pins, write_pins
from keybuzz.transport.ssh import known_hosts
from keybuzz.transport.ssh.forgetting import forgotten
from keybuzz.transport.ssh.known_hosts import pinned_keys
from keybuzz.transport.ssh.pinning import ShownKey, read_text, rewrite
from keybuzz.transport.ssh.vouched import KeyFile, Vouched

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIHB1Ymxp"
OTHER_ENDS = ("\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""Characters that Python ends a line at, and OpenSSH does not."""
ID = "a" * 32


@pytest.mark.parametrize("end", OTHER_ENDS)
def test_only_a_line_feed_ends_a_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "known_hosts"
    hidden = f"# old{end}10.0.0.9 ssh-ed25519 {BLOB}\n"
    behind = f"10.0.0.5 ssh-ed25519 AAAA{end}10.0.0.9 ssh-ed25519 {BLOB}\n"
    path.write_bytes((hidden + behind).encode())
    text = read_text(path)
    assert text == hidden + behind
    assert pinned_keys(text, "10.0.0.9", 22).accepted == frozenset()
    assert forgotten(text, "10.0.0.9", ()).text == text
    key = ShownKey("ssh-ed25519", BLOB)
    listed = f"# STOLEN{end}redis-01 {key.fingerprint}\n"
    assert KeyFile(listed).says(key, "10.0.0.9", ("redis-01",)) is Vouched.NONE


def test_no_file_of_pins_is_read_by_the_line_ends_of_python() -> None:
    for module in (machine_pins, known_hosts):
        folder = Path(str(module.__file__)).parent
        for path in folder.glob("*.py"):
            assert ".splitlines(" not in path.read_text(), path


@pytest.mark.parametrize(
    "odd", [b"10.0.0.5 ssh-ed25519 AAAA c\r\n", b"# \xff\xfe\r caf\xe9\n", b"x"]
)
def test_lines_of_others_stay_byte_for_byte(tmp_path: Path, odd: bytes) -> None:
    path = tmp_path / "known_hosts"
    path.write_bytes(odd)
    rewrite(path, lambda text: text)
    assert path.read_bytes() == odd


def test_a_windows_line_pins_what_it_says(tmp_path: Path) -> None:
    text = f"10.0.0.5 ssh-ed25519 {BLOB}\r\n"
    assert pinned_keys(text, "10.0.0.5", 22).accepts(BLOB)


def test_a_link_of_the_operator_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "repository" / "keys", tmp_path / "state" / "known_hosts"
    real.parent.mkdir()
    link.parent.mkdir()
    real.write_text("10.0.0.5 ssh-ed25519 AAAA\n")
    link.symlink_to(real)
    rewrite(link, lambda text: text + "# new\n")
    assert link.is_symlink()
    assert real.read_text() == "10.0.0.5 ssh-ed25519 AAAA\n# new\n"
    assert {path.name for path in real.parent.iterdir()} == {"keys"}


@pytest.mark.parametrize("what", ["file", "folder", "folder behind a link"])
def test_what_every_user_can_write_decides_no_trust(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "inventory"
    folder.mkdir()
    path = folder / "known_hosts"
    path.write_text("")
    open_to_all = path if what == "file" else folder
    if what == "folder behind a link":
        (tmp_path / "own").mkdir()
        path = tmp_path / "own" / "known_hosts"
        path.symlink_to(folder / "known_hosts")
    open_to_all.chmod(0o777)
    for act in (lambda: read_text(path), lambda: rewrite(path, lambda text: text + "x")):
        with pytest.raises(InputError, match="every user can write to") as refused:
            act()
        assert f"chmod o-w {open_to_all}" in refused.value.hint
    assert path.read_text() == ""


def test_a_link_to_itself_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").symlink_to("known_hosts")
    with pytest.raises(InputError):
        read_text(tmp_path / "known_hosts")


DAMAGED = {
    "cut off": f"10.0.0.124 {'b' * 20}",
    "no name": f"10.0.0.124 {ID}",
    "no digest": "10.0.0.124 redis-02",
    "capitals": f"10.0.0.124 {ID.upper()} redis-02",
    "two in one line": f"10.0.0.124 {ID} redis-02 10.0.0.125 {ID} redis-03",
    "another line end": f"10.0.0.124 {ID} redis-02\r10.0.0.125 {ID} redis-03",
    "a second machine": f"10.0.0.123 {'c' * 32} redis-01",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_pin_is_refused_and_not_none(tmp_path: Path, what: str) -> None:
    path = tmp_path / "known_machines"
    text = f"# ours\n\n10.0.0.123 {ID} redis-01\n{DAMAGED[what]}"
    path.write_bytes(text.encode())
    with pytest.raises(InputError) as refused:
        read_pins(path)
    assert refused.value.where == f"{path}:4"
    assert "kbz hosts trust" in refused.value.hint


def test_pins_are_written_read_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "known_machines"
    write_pins(path, {"10.0.0.123": Pin(ID, "redis-01"), "10.0.0.124": Pin(ID, "redis-02")})
    assert forget_machine(path, "10.0.0.124")
    assert read_pins(path) == {"10.0.0.123": Pin(ID, "redis-01")}
    assert path.stat().st_mode & 0o777 == 0o644
