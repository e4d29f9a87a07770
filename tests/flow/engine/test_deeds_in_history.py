"""What is done without a run of a module is in the journal too: who, which command, and how it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keybuzz.engine.memory.journal import HostRecord, Journal, RunRecord
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.transport.machine_pins import Pin, read_pins, write_pins
from tests.flow.support.machine import on_machine, own_interface
from tests.unit.support.site_values import planted, planted_configuration

KBZ = "from keybuzz.cli.main import main; main()"
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIPUEZPj8KaWGxEJgN1rWdxrsVRLpWzSQyTTdhKvEb1xB"
HOST, ADDRESS = "redis-01", "10.0.0.123"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site whose hosts are behind SSH, with a pinned host."""
    planted_configuration(tmp_path)
    config = tmp_path / "nornir_config.yaml"
    config.write_text(config.read_text().replace("kbz_local", "kbz_ssh"))
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "known_hosts").write_text(f"{ADDRESS} ssh-ed25519 {KEY}\n")
    write_pins(tmp_path / "inventory" / "known_machines", {ADDRESS: Pin("a" * 32, HOST)})
    return tmp_path


def journal(folder: Path) -> Journal:
    return Journal(folder / "state" / "journal.sqlite")


def newest(folder: Path, *words: str, code: int = 0) -> RunRecord:
    """Call kbz where no host can be reached, and return what the journal knows of it."""
    done = on_machine((), ["-c", KBZ, *words], folder)
    assert done.returncode == code, done.stdout + done.stderr
    found = journal(folder)
    assert found.verify().problems == ()
    [record] = found.runs(1)
    assert record.ended is not None
    assert record.who is not None
    return record


def test_a_command_is_remembered_with_its_hosts_and_without_secrets(folder: Path) -> None:
    secret = planted("REDIS_PASSWORD")
    words = ["exec", "--limit", HOST, "--", "echo", secret]
    record = newest(folder, *words, code=ExitCode.UNREACHABLE)
    assert (record.verb, record.exit_code) == ("exec", ExitCode.UNREACHABLE)
    assert secret not in record.arguments[0]
    assert f"exec --limit {HOST} -- echo" in record.arguments[0]
    [host] = journal(folder).hosts(record.number)
    assert isinstance(host, HostRecord)
    assert (host.host, host.outcome) == (HOST, Outcome.UNREACHABLE)


def test_trust_and_forget_are_remembered(folder: Path) -> None:
    record = newest(folder, "hosts", "trust", HOST, code=ExitCode.UNREACHABLE)
    assert (record.verb, record.exit_code) == ("hosts trust", ExitCode.UNREACHABLE)
    assert "shows no key" in record.note
    record = newest(folder, "hosts", "forget", HOST, "--confirm", HOST)
    assert (record.verb, record.exit_code) == ("hosts forget", ExitCode.GOOD)
    assert read_pins(folder / "inventory" / "known_machines") == {}
    assert KEY not in (folder / "inventory" / "known_hosts").read_text()


def test_the_store_is_remembered(folder: Path) -> None:
    (folder / "credentials" / "redis.env").unlink()
    assert newest(folder, "secrets", "init").verb == "secrets init"


def test_the_schedule_is_remembered(folder: Path) -> None:
    record = newest(folder, "drift", "uninstall", "--into", str(folder))
    assert record.verb == "drift uninstall"


def test_an_earlier_version_of_the_list_is_remembered(folder: Path) -> None:
    record = newest(
        folder, "versions", "lock", "redis", "--out", "x.yaml", code=ExitCode.UNREACHABLE
    )
    assert record.verb == "versions lock"


def test_a_lab_is_remembered(folder: Path) -> None:
    overlay = folder / "overlay.yaml"
    lab = f"lab:\n  name: kbz-no-lab\n  root: {folder}/lab\n  cache: {folder}/cache\n"
    overlay.write_text(overlay.read_text() + lab)
    record = newest(folder, "lab", "fault", "stop", HOST, code=ExitCode.FAILED)
    assert (record.verb, record.exit_code) == ("lab fault stop", ExitCode.FAILED)
    words = ["lab", "exec", HOST, "--", "echo", "a-password"]
    record = newest(folder, *words, code=ExitCode.FAILED)
    assert record.arguments == (f"kbz lab exec {HOST} -- echo",)


def test_hosts_are_shown_with_key_and_machine(folder: Path) -> None:
    done = on_machine((), ["-c", KBZ, "hosts", "--format", "json"], folder)
    found = {item["host"]: item for item in json.loads(done.stdout)["hosts"]}
    assert len(found) == 48
    assert found[HOST]["machine"] == "a" * 32
    assert found[HOST]["keys"][0].startswith("ssh-ed25519 SHA256:")
    assert found["redis-02"] == {
        "host": "redis-02",
        "address": "10.0.0.124",
        "keys": [],
        "machine": None,
        "called": None,
    }
    text = on_machine((), ["-c", KBZ, "hosts"], folder).stdout
    assert f"machine {'a' * 32}" in text


def test_a_machine_that_is_not_the_pinned_one_is_told_with_the_way_out(folder: Path) -> None:
    """The pin is compared by kbz itself, over a connection to this machine as that server."""
    lay_out = ("ip link set lo up", *own_interface("10.0.0.250/16"))
    write_pins(folder / "inventory" / "known_machines", {"10.0.0.250": Pin("b" * 32, "install-01")})
    words = ["exec", "--limit", "install-01", "--", "true"]
    done = on_machine(lay_out, ["-c", KBZ, *words], folder, name="install-01")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "THE MACHINE HAS CHANGED" in done.stdout
    assert "kbz hosts forget install-01 && kbz hosts trust install-01" in done.stdout


def test_the_first_change_pins_the_machine(folder: Path) -> None:
    lay_out = ("ip link set lo up", *own_interface("10.0.0.250/16"))
    words = ["exec", "--limit", "install-01", "--", "true"]
    done = on_machine(lay_out, ["-c", KBZ, *words], folder, name="install-01")
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    pins = read_pins(folder / "inventory" / "known_machines")
    assert pins["10.0.0.250"].called == "install-01"
    again = on_machine(lay_out, ["-c", KBZ, *words], folder, name="install-01")
    assert again.returncode == ExitCode.GOOD
