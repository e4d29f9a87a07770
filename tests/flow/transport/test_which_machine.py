"""No server is taken for the machine that kbz runs on, unless it is: each attack in a network namespace of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.flow.support.machine import on_machine, own_interface
from tests.unit.support.site_values import planted_configuration

NONLOCAL = "echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind"
LO_UP = "ip link set lo up"
ATTACKS = {
    "lo is down": (),
    "nonlocal bind": (NONLOCAL, LO_UP),
    "nonlocal bind, lo is down": (NONLOCAL,),
    "a wide prefix on lo": (LO_UP, "ip address add 10.0.0.1/16 dev lo"),
    "a wide local route": (LO_UP, "ip route add local 10.0.0.0/16 dev lo"),
    "a server's address on lo": (LO_UP, "ip address add 10.0.0.250/16 dev lo"),
}
BINDABLE = """
import socket
from ipaddress import ip_address
from keybuzz.site.load import load_site, read_configuration
from pathlib import Path
found = 0
for server in load_site(read_configuration(Path("nornir_config.yaml"))).servers:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(server.address), 0))
            found += 1
        except OSError:
            pass
print(found)
"""
"""What kbz once took as the answer: how many of the servers can be bound to."""
LINKS = """
import json
from keybuzz import init
hosts = init().inventory.hosts.values()
print(json.dumps({host.name: host["connection"] for host in hosts}))
"""
KBZ = "from keybuzz.cli.main import main; main()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole site whose servers are reached over SSH."""
    planted_configuration(tmp_path)
    config = tmp_path / "nornir_config.yaml"
    config.write_text(config.read_text().replace("kbz_local", "kbz_ssh"))
    return tmp_path


def links(folder: Path, lay_out: Sequence[str], name: str = "install-01") -> dict[str, list[str]]:
    """Return the servers by the connection that leads to them, but for those behind SSH."""
    done = on_machine(lay_out, ["-c", LINKS], folder, name=name)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for host, link in json.loads(done.stdout).items():
        found.setdefault(link, []).append(host)
    found.pop("kbz_ssh", None)
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_can_be_bound_is_not_this_machine(folder: Path, attack: str) -> None:
    lay_out = ATTACKS[attack]
    fooled = on_machine(lay_out, ["-c", BINDABLE], folder)
    assert int(fooled.stdout) >= 1, "the attack must work on what only binds"
    assert links(folder, lay_out) == {}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_command_for_all_servers_does_not_run_here(folder: Path, attack: str) -> None:
    trace = folder / "ran-here"
    words = ["exec", "--limit", "all", "--timeout", "5", "--", f"echo here >>{trace}"]
    done = on_machine(ATTACKS[attack], ["-c", KBZ, *words], folder, name="install-01")
    assert not trace.exists()
    assert done.returncode == 4, done.stderr
    assert done.stdout.count("nothing answers at") == 48


def test_the_controller_is_local_on_its_own_address_and_name(folder: Path) -> None:
    lay_out = own_interface("10.0.0.250/16")
    assert links(folder, lay_out) == {"kbz_local": ["install-01"]}
    done = on_machine(
        lay_out,
        ["-c", KBZ, "exec", "--limit", "install-01", "--", "uname -n"],
        folder,
        name="install-01",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "install-01" in done.stdout


@pytest.mark.parametrize(
    ("addresses", "name", "limit", "said"),
    [
        (["10.0.0.250/16"], "redis-01", "install-01", "this machine calls itself redis-01"),
        (["10.0.0.123/16"], "redis-01", "redis-01", "kbz runs on install-01 (group controller)"),
        (["10.0.0.123/16"], "install-01", "redis-01", "kbz runs on install-01 (group controller)"),
        (["10.0.0.250/16", "10.0.0.123/32"], "install-01", "install-01", "install-01, redis-01"),
    ],
)
def test_any_other_claim_is_refused_with_words(
    folder: Path, addresses: list[str], name: str, limit: str, said: str
) -> None:
    lay_out = own_interface(*addresses)
    assert links(folder, lay_out, name) == {}
    trace = folder / "ran-here"
    words = ["exec", "--limit", limit, "--", f"touch {trace}"]
    done = on_machine(lay_out, ["-c", KBZ, *words], folder, name=name)
    assert (done.returncode, trace.exists()) == (4, False)
    assert said in done.stdout
    assert "→" in done.stdout


def test_a_site_that_calls_every_server_local_reaches_none(folder: Path) -> None:
    config = folder / "nornir_config.yaml"
    config.write_text(config.read_text().replace("kbz_ssh", "kbz_local"))
    trace = folder / "ran-here"
    words = ["exec", "--limit", "all", "--", f"touch {trace}"]
    done = on_machine((LO_UP,), ["-c", KBZ, *words], folder)
    assert (done.returncode, trace.exists()) == (4, False)
    assert done.stdout.count("another machine answers") == 48


LAB = "lab:\n  name: kbz-not-there\n  root: {folder}/lab\n  cache: {folder}/cache\n"
LISTENING = """
import json, select, socket, subprocess, sys
listener = socket.create_server(("10.0.0.123", 22))
code = "from keybuzz.cli.main import main; main()"
done = subprocess.run([sys.executable, "-c", code, *sys.argv[1:]], capture_output=True, text=True)
dialed = bool(select.select([listener], [], [], 0)[0])
print(json.dumps([dialed, done.returncode, done.stdout + done.stderr]))
"""
"""Calls kbz where somebody else's redis-01 listens, and tells whether that was dialed."""
SCRIPT = """
from pathlib import Path
from keybuzz.engine.change.execute import execute
from keybuzz.engine.nornir import make_nornir
from keybuzz.model.core.access import Access
from keybuzz.site.load import load_site, read_configuration
configuration = read_configuration(Path("nornir_config.yaml"))
nornir = make_nornir(configuration, load_site(configuration), Access.CHANGE)
done = nornir.run(task=execute, argv=("true",), timeout=5.0)
print({results[0].exception.what for results in done.values()})
"""


@pytest.fixture
def lab_folder(folder: Path) -> Path:
    """The same site, whose target is a lab that is not there."""
    overlay = folder / "overlay.yaml"
    overlay.write_text(overlay.read_text() + LAB.format(folder=folder))
    return folder


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["exec", "--limit", "redis-01", "--", "true"], 1, "lab 'kbz-not-there' does not exist"),
        (["health", "redis"], 1, "lab 'kbz-not-there' does not exist"),
        (["hosts", "trust", "redis-01"], 1, "lab 'kbz-not-there' does not exist"),
        (["render", "redis", "--limit", "redis-01"], 0, "# redis-01:/opt/keybuzz/redis"),
        (["inventory"], 0, "redis-01"),
    ],
)
def test_without_its_network_a_lab_has_no_servers(
    lab_folder: Path, words: list[str], code: int, said: str
) -> None:
    lay_out = (LO_UP, *own_interface("10.0.0.123/16"))
    done = on_machine(lay_out, ["-c", LISTENING, *words], lab_folder)
    dialed, found, text = json.loads(done.stdout)
    assert (dialed, found) == (False, code), text
    assert said in text


def test_a_script_that_never_entered_the_lab_reaches_no_server(lab_folder: Path) -> None:
    done = on_machine((), ["-c", SCRIPT], lab_folder)
    assert "the network of lab kbz-not-there was not entered" in done.stdout, done.stderr


def test_the_listener_would_tell(folder: Path) -> None:
    lay_out = (LO_UP, *own_interface("10.0.0.1/16", "10.0.0.123/16"))
    words = ["exec", "--limit", "redis-02,redis-03", "--", "true"]
    done = on_machine(lay_out, ["-c", LISTENING.replace("10.0.0.123", "0.0.0.0"), *words], folder)
    assert json.loads(done.stdout)[0] is False
    words = ["hosts", "trust", "redis-01"]
    done = on_machine(lay_out, ["-c", LISTENING, *words], folder)
    assert json.loads(done.stdout)[0] is True
