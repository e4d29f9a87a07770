"""The file of pinned keys: one line more, one line less, and every other line as it was."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keybuzz.transport.ssh.known_hosts import pinned_keys
from keybuzz.transport.ssh.pinning import ShownKey, read_text, rewrite, with_key

KEY = ShownKey(
    "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake"
)
ODD = "# ours\n\n|1|c2FsdA==|ZGlnZXN0 ssh-ed25519 AAAA\n@cert-authority * ssh-ed25519 BBBB\n10.0.0.12* ssh-rsa CCCC\n"


def test_a_key_is_added_and_accepted() -> None:
    text = with_key(ODD, "10.0.0.120", KEY)
    assert text.startswith(ODD)
    assert pinned_keys(text, "10.0.0.120", 22).accepts(KEY.blob)


def test_a_file_without_a_last_newline_keeps_its_last_line() -> None:
    text = with_key("10.0.0.1 ssh-ed25519 AAAA", "10.0.0.120", KEY)
    assert text.splitlines()[0] == "10.0.0.1 ssh-ed25519 AAAA"


def test_two_who_pin_at_once_lose_nobodys_line(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(ODD, errors="surrogateescape")
    addresses = [f"10.0.0.{number}" for number in range(10, 30)]
    together = threading.Barrier(len(addresses))

    def pin(address: str) -> None:
        together.wait(timeout=10)
        rewrite(path, lambda text: with_key(text, address, KEY))

    with ThreadPoolExecutor(len(addresses)) as pool:
        for job in [pool.submit(pin, address) for address in addresses]:
            job.result(timeout=10)
    text = read_text(path)
    assert text.startswith(ODD)
    assert sorted(line.split()[0] for line in text[len(ODD) :].splitlines()) == addresses
