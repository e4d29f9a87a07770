"""One suite for all connection plugins, against a real OpenSSH server and real processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
from nornir.core.configuration import Config
from nornir.core.inventory import ConnectionOptions, Defaults, Host
from nornir.core.plugins.connections import ConnectionPluginRegister
from sshd import Server, make_key, parent_of, running, running_with, until

from keybuzz.model.errors import ContactError, StepError
from keybuzz.transport.link import session_of
from keybuzz.transport.session import Session

ROOT = Path(__file__).parents[2]
SSH_LINKS = ("kbz_ssh", "kbz_netmiko")
LINKS = (*SSH_LINKS, "kbz_local")
MEBIBYTE = 1024 * 1024
MARKS = count(int(time.time()) % 100_000 * 1000)
"""Each process that must end carries a number of its own in its arguments."""


@dataclass(frozen=True, slots=True)
class Site:
    """Makes hosts for the server on loopback, and forgets none of them."""

    server: Server
    python: Path
    """A name for the host's Python that only this test run uses, so that leftovers can be found."""
    hosts: list[Host]

    def host(self, link: str, **extras: str) -> Host:
        """Return a host with options for one plugin, the pinned ones unless given."""
        options = {"name": "web-01", "python": str(self.python)}
        if link in SSH_LINKS:
            options |= {
                "known_hosts": str(self.server.known_hosts),
                "key_filename": str(self.server.key),
            }
        host = Host(
            name="web-01",
            hostname="127.0.0.1",
            port=self.server.port,
            username="root",
            connection_options={link: ConnectionOptions(extras=options | extras)},
            defaults=Defaults(),
        )
        self.hosts.append(host)
        return host

    def session(self, link: str, **extras: str) -> Session:
        """Open a session as a task would."""
        return session_of(self.host(link, **extras), link, Config())


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    """Register what pyproject.toml declares, as Nornir does for an installed package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["nornir.plugins.connections"]
    assert set(points) == set(LINKS)
    for name, place in points.items():
        module, _, plugin = place.partition(":")
        ConnectionPluginRegister.register(name, getattr(import_module(module), plugin))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    name = tmp_path_factory.mktemp("host") / "python3"
    name.symlink_to("/usr/bin/python3")
    yield name
    until(lambda: not running_with(str(name)), "the last agent to end")


@pytest.fixture(scope="module")
def site(server: Server, python: Path) -> Iterator[Site]:
    site = Site(server, python, [])
    yield site
    for host in site.hosts:
        host.close_connections()


@pytest.fixture(scope="module", params=LINKS)
def link(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=SSH_LINKS)
def ssh_link(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def session(site: Site, link: str) -> Session:
    """One session for all tests that must leave it usable: each of them tests the one before."""
    return site.session(link)


@pytest.fixture
def own_session(site: Site, link: str) -> Session:
    """A session that a test may break."""
    return site.session(link)


@dataclass(frozen=True, slots=True)
class Stubborn:
    """A command that starts a child of its own, and of which neither listens to TERM."""

    mark: str

    @property
    def argv(self) -> list[str]:
        """Prints a line once both run."""
        sleep = f"sleep 300 {self.mark}"
        return ["sh", "-c", f"trap '' TERM; {sleep} & {sleep} & echo started; wait"]

    def alive(self) -> list[int]:
        """Return the pids of what runs of it."""
        return running_with(self.mark)

    def once_started(self, action: Callable[[], object]) -> Callable[[str, bytes], None]:
        """Return a callback that acts when all of it is seen running."""

        def act(name: str, data: bytes) -> None:
            until(lambda: len(self.alive()) == 3, "the command and its two children")
            action()

        return act


@pytest.fixture
def stubborn() -> Stubborn:
    return Stubborn(f"0.{next(MARKS):09}")


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_codes_are_exact(session: Session, code: int) -> None:
    assert session.execute(["sh", "-c", f"exit {code}"], timeout=10).exit_code == code


def test_a_signal_is_told_from_an_exit_code(session: Session) -> None:
    assert session.execute(["sh", "-c", "kill -9 $$"], timeout=10).exit_code == -9


def test_arguments_arrive_as_they_are(session: Session) -> None:
    hostile = ["a b", "$(id)", "'\"", "*", "é\n", "", "-n", "\\"]
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    done = session.execute(["python3", "-I", "-c", code, *hostile], timeout=20)
    assert done.stdout == '["a b", "$(id)", "\'\\"", "*", "\\u00e9\\n", "", "-n", "\\\\"]\n'


def test_input_is_passed_and_ends(session: Session) -> None:
    text = "première ligne\n" * 50_000
    done = session.execute(["cat"], stdin=text, timeout=20)
    assert done.stdout == text
    assert session.execute(["cat"], timeout=10).stdout == ""


def test_eight_megabytes_on_both_streams_at_once(session: Session) -> None:
    code = (
        "import os\n"
        "for n in range(2048):\n"
        "    os.write(1, b'%04x' % n * 1024)\n"
        "    os.write(2, b'%04X' % n * 1024)\n"
    )
    done = session.execute(["python3", "-I", "-c", code], timeout=60)
    assert done.exit_code == 0
    assert done.stdout == "".join(f"{n:04x}" * 1024 for n in range(2048))
    assert done.stderr == "".join(f"{n:04X}" * 1024 for n in range(2048))


def test_a_program_that_does_not_exist_is_a_step_error(session: Session) -> None:
    with pytest.raises(StepError, match="can not be started") as caught:
        session.execute(["/nonexistent/program"], timeout=10)
    assert caught.value.where == "web-01"
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_an_exception_in_the_agent_is_a_step_error(session: Session) -> None:
    with pytest.raises(StepError, match=r"TypeError: .* \(execute.py:\d+\)"):
        session.request("exec", {"argv": ["true"], "timeout": "soon"}, timeout=10)
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_a_timeout_ends_the_command_and_its_children(session: Session, stubborn: Stubborn) -> None:
    seen: list[int] = []
    note = stubborn.once_started(lambda: seen.extend(stubborn.alive()))
    done = session.execute(stubborn.argv, timeout=1.5, on_output=note)
    assert (done.timed_out, done.exit_code, len(seen)) == (True, -signal.SIGKILL, 3)
    until(lambda: not stubborn.alive(), "the command and its children to end")
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_a_deadline_of_ours_ends_it_too(own_session: Session, stubborn: Stubborn) -> None:
    request = {"argv": stubborn.argv, "timeout": 300}
    with pytest.raises(ContactError, match="not answered in time") as caught:
        own_session.request("exec", request, timeout=1.5)
    assert caught.value.inside_step
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_a_lost_link_ends_it_and_says_so(site: Site, link: str, stubborn: Stubborn) -> None:
    host = site.host(link)
    session = session_of(host, link, Config())
    agent = session.agent.pid
    kill = (parent_of(agent), signal.SIGKILL) if link in SSH_LINKS else (agent, signal.SIGTERM)
    with pytest.raises(ContactError) as caught:
        session.execute(
            stubborn.argv, timeout=60, on_output=stubborn.once_started(lambda: os.kill(*kill))
        )
    assert caught.value.inside_step
    assert caught.value.where == "web-01"
    until(lambda: not stubborn.alive(), "the command and its children to end")
    with pytest.raises(ContactError) as again:
        session.execute(["true"], timeout=10)
    assert not again.value.inside_step
    fresh = session_of(host, link, Config())
    assert fresh.agent.pid != agent
    assert fresh.execute(["true"], timeout=10).exit_code == 0


def test_closing_ends_it(own_session: Session, stubborn: Stubborn) -> None:
    with pytest.raises(ContactError):
        own_session.execute(
            stubborn.argv, timeout=60, on_output=stubborn.once_started(own_session.close)
        )
    until(lambda: not stubborn.alive(), "the command and its children to end")


CONTROLLER = """\
import sys
from importlib import import_module
module, name, port, extras, argv = eval(sys.argv[1])
link = getattr(import_module(module), name)()
link.open("127.0.0.1", "root", None, port, None, extras)
link.connection.execute(argv, timeout=300)
"""


def test_a_killed_controller_leaves_nothing(site: Site, link: str, stubborn: Stubborn) -> None:
    options = site.host(link).connection_options[link]
    plugin = ConnectionPluginRegister.get_plugin(link)
    plan = (plugin.__module__, plugin.__name__, site.server.port, options.extras, stubborn.argv)
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, repr(plan)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        # The controller has the mark among its own arguments.
        until(lambda: len(stubborn.alive()) == 4, "the command to run")
    finally:
        controller.kill()
        controller.wait(10)
    until(lambda: not stubborn.alive(), "the command and its children to end")


def test_a_second_request_uses_the_same_agent(site: Site, link: str) -> None:
    host = site.host(link)
    sessions = [session_of(host, link, Config()) for _ in range(2)]
    parents = [session.execute(["sh", "-c", "echo $PPID"], timeout=10) for session in sessions]
    assert sessions[0] is sessions[1]
    assert {int(done.stdout) for done in parents} == {sessions[0].agent.pid}


def test_one_channel_for_each_host(site: Site, link: str) -> None:
    """The server allows 4 sessions in a connection: eight hosts, with five requests each, fit."""

    def work(_: int) -> list[int]:
        session = site.session(link)
        return [session.execute(["true"], timeout=30).exit_code for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[0] * 5] * 8


def test_fifty_megabytes_go_up_in_little_memory(session: Session) -> None:
    piece, pieces = os.urandom(MEBIBYTE), 50
    digest = hashlib.sha256()

    def source() -> Iterator[bytes]:
        for _ in range(pieces):
            digest.update(piece)
            yield piece

    before = _peak(os.getpid(), reset=True)
    done = session.execute(["sha256sum"], timeout=120, upload=source())
    assert done.stdout.split()[0] == digest.hexdigest()
    assert _peak(os.getpid()) - before < 24 * MEBIBYTE
    assert _peak(session.agent.pid) < 48 * MEBIBYTE


def _peak(pid: int, *, reset: bool = False) -> int:
    """Return the highest resident size of a process so far, in bytes, since the last reset."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_an_unknown_host_key_is_refused(site: Site, ssh_link: str, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("# nobody yet\n")
    with pytest.raises(ContactError, match="not pinned") as caught:
        site.session(ssh_link, known_hosts=str(known_hosts))
    assert "kbz hosts trust web-01" in caught.value.hint
    assert not caught.value.inside_step
    assert known_hosts.read_text() == "# nobody yet\n"


def test_a_missing_known_hosts_file_trusts_nobody(
    site: Site, ssh_link: str, tmp_path: Path
) -> None:
    with pytest.raises(ContactError, match="not pinned"):
        site.session(ssh_link, known_hosts=str(tmp_path / "missing"))
    assert not (tmp_path / "missing").exists()


def test_a_changed_host_key_is_refused_loudly(site: Site, ssh_link: str, tmp_path: Path) -> None:
    known_hosts = site.server.pin(tmp_path / "known_hosts", make_key(tmp_path / "former"))
    before = known_hosts.read_bytes()
    with pytest.raises(ContactError, match="HOST KEY HAS CHANGED") as caught:
        site.session(ssh_link, known_hosts=str(known_hosts))
    assert caught.value.where == "web-01"
    assert known_hosts.read_bytes() == before


def test_a_key_that_may_not_log_in_is_named(site: Site, ssh_link: str, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(ContactError) as caught:
        site.session(ssh_link, key_filename=str(stranger))
    assert caught.value.where == "web-01"
    assert "root" in str(caught.value)


def test_a_closed_port_is_a_contact_error(site: Site, ssh_link: str) -> None:
    host = site.host(ssh_link)
    host.port = 1
    with pytest.raises(ContactError, match=r"nothing answers at 127\.0\.0\.1:1"):
        session_of(host, ssh_link, Config())


def test_a_host_without_python_is_told(site: Site, link: str) -> None:
    with pytest.raises(ContactError, match="could not be started") as caught:
        site.session(link, python="/nonexistent/python3")
    assert "python" in caught.value.hint


def test_through_a_bastion(site: Site, ssh_link: str, tmp_path: Path) -> None:
    with running(tmp_path, forwarding="yes") as bastion:
        (tmp_path / "authorized_keys").write_text(site.server.key.with_suffix(".pub").read_text())
        both = tmp_path / "both"
        both.write_text(bastion.known_hosts.read_text() + site.server.known_hosts.read_text())
        way = {"known_hosts": str(both), "bastion": f"127.0.0.1:{bastion.port} root"}
        session = site.session(ssh_link, **way)
        assert session.execute(["echo", "through"], timeout=10).stdout == "through\n"
        session.close()


def test_a_hardened_host_is_no_bastion(site: Site, ssh_link: str) -> None:
    with pytest.raises(ContactError, match="opens no way"):
        site.session(ssh_link, bastion=f"127.0.0.1:{site.server.port}")
