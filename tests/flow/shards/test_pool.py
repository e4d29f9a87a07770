"""A pool that loses a worker, a connection or its trust: what is told, and that nothing is asked twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from distributed.comm.core import connect
from distributed.security import Security

from keybuzz.engine.look.observe import outcome_of_silence
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.shards.pool import settings, wire
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.inventory.shards import Tls
from tests.flow.shards.pool import StandingPool, Wire, standing
from tests.flow.shards.scenarios import WORKER, Ways, found_by, looking, prepare, shim
from tests.flow.shards.tls import make_ca
from tests.flow.support.agent_host import ROOT
from tests.flow.support.fleet import HOSTS, THIRD
from tests.flow.support.sshd import free_port, parent_of, running_with, until


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingPool]:
    folder = tmp_path_factory.mktemp("pool")
    with standing(folder, shim(folder, ROOT)) as made:
        yield made
    until(lambda: not running_with(f"{WORKER}\0{folder}"), "the workers to end")


def ways(pool: StandingPool) -> Ways:
    return Ways(pool.folder, pool=pool)


def look(pool: StandingPool) -> Survey:
    """Ask the hosts of one shard through the pool."""
    hosts = prepare(pool.folder)
    with looking(ways(pool), hosts) as made:
        return found_by(made, ways(pool).runner("dask", made.site, shard_size=3))


def look_and(pool: StandingPool, act: Callable[[int], None]) -> str:
    """Ask a host that never answers, and `act` on the shard's process meanwhile; return why it was not heard.

    The process has ended by then, and the host was asked once.
    """
    hosts = prepare(pool.folder)
    asked = pool.folder / "asked"
    asked.write_text("")
    hosts[THIRD].python.write_text(f"#!/bin/sh\necho asked >> {asked}\nexec cat >/dev/null\n")
    pids: list[int] = []

    def alone() -> bool:
        """Note the shard's process; what it has forked has the same arguments until it is another program."""
        found = running_with(f"{WORKER}\0{pool.folder}")
        pids[:] = found if len(found) == 1 else []
        return bool(pids)

    def wait() -> None:
        until(asked.read_text, "the shard to be at work", 60)
        until(alone, "what it starts to be another program", 60)
        act(pids[0])

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        with looking(ways(pool), hosts) as made:
            found = found_by(made, ways(pool).runner("dask", made.site, shard_size=3))
    finally:
        thread.join()
    (pid,) = pids
    until(lambda: not Path(f"/proc/{pid}").exists(), "the shard's process to end", 60)
    assert asked.read_text() == "asked\n"
    why = found.snapshot.unreachable[THIRD]
    assert outcome_of_silence(why) is Outcome.UNKNOWN
    return why


def reason(found: Survey) -> str:
    """Return why no host was heard: one reason, which leaves each unknown."""
    assert list(found.snapshot.unreachable) == list(HOSTS)
    (why,) = set(found.snapshot.unreachable.values())
    assert outcome_of_silence(why) is Outcome.UNKNOWN
    return why


GONE = "was lost: the worker that had it is gone, or its connection to the scheduler"


def test_a_shard_of_a_worker_that_is_killed_goes_to_no_other(pool: StandingPool) -> None:
    python = shim(pool.folder, ROOT)
    with pool.worker(python, "first"), pool.worker(python, "second"):
        why = look_and(pool, lambda pid: os.kill(parent_of(pid), signal.SIGKILL))
    place = f"the pool of fsn1 (127.0.0.1:{pool.port})"
    again = "look again; kbz workers check asks the workers"
    assert why == f"was not heard: {place} {GONE} → {again}"


def test_a_cut_between_controller_and_pool_ends_the_shard_there(pool: StandingPool) -> None:
    wire = Wire(pool.port)
    with pool.worker(shim(pool.folder, ROOT), "worker"):
        why = look_and(replace(pool, port=wire.port), lambda pid: wire.cut())
    assert why.startswith("was not heard: the pool of fsn1")
    assert "was lost: the connection to its scheduler ended" in why


def test_a_cut_between_scheduler_and_region_ends_the_worker(pool: StandingPool) -> None:
    wire = Wire(pool.port)
    with pool.worker(shim(pool.folder, ROOT), "worker", wire.port) as pid:
        assert GONE in look_and(pool, lambda _: wire.cut())
        until(lambda: ended(pid), "the worker to end", 60)


def ended(pid: int) -> bool:
    """Return whether a child has ended, which `Popen` has not noticed yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_pool_without_a_worker_of_the_region_says_so(pool: StandingPool) -> None:
    assert f"was not asked: the pool of fsn1 (127.0.0.1:{pool.port}) has no worker now" in reason(
        look(pool)
    )


def test_a_strangers_certificate_is_taken_by_neither(pool: StandingPool, tmp_path: Path) -> None:
    stranger = make_ca(tmp_path / "stranger").certify("intruder")
    # Its own CA, so it does not take the scheduler; the pool's CA, so the scheduler does not take it.
    for ca, said in (
        (stranger.ca, "its certificate is not taken: "),
        (pool.ca.file, "TLS ended: tlsv1 alert unknown ca"),
    ):
        tls = replace(stranger, ca=ca)
        seen = replace(pool, controller=tls)
        why = reason(look(seen))
        assert (
            f"was not asked: the pool of fsn1 (127.0.0.1:{pool.port}) cannot be reached: {said}"
            in why
        )
        done = workers("serve", tls, "--scheduler", f"127.0.0.1:{pool.port}", "--region", "fsn1")
        assert (done.returncode, said in done.stderr) == (ExitCode.UNREACHABLE, True), done.stderr


def test_a_worker_cannot_stand_for_the_scheduler(pool: StandingPool) -> None:
    """A certificate of the pool's CA is not enough: the address that was asked for must be in it."""
    elsewhere = pool.ca.certify("elsewhere", "127.0.0.9")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(elsewhere.cert, elsewhere.key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):  # the client may have hung up before
                context.wrap_socket(server.accept()[0], server_side=True).close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ContactError, match="IP address mismatch"):
            settings.knock(
                f"127.0.0.1:{server.getsockname()[1]}", settings.security(pool.controller)
            )
        thread.join()


TAKE_CODE = {
    "scheduler": (
        "run_function",
        "broadcast",
        "register_worker_plugin",
        "register_scheduler_plugin",
    ),
    "worker": ("run", "run_coroutine", "upload_file", "plugin-add", "connection_stream"),
}
"""Handlers of Dask's own processes through which code comes in."""


def test_what_is_no_shard_is_not_run(pool: StandingPool, tmp_path: Path) -> None:
    """A holder of a certificate can name no other function, and reaches nothing that runs code."""
    settings.prepare(wire.PLAIN)
    tls = settings.security(pool.controller)
    made = tmp_path / "made"
    with pool.worker(shim(pool.folder, ROOT), "worker") as pid:
        scheduler, worker = f"tls://127.0.0.1:{pool.port}", f"tls://127.0.0.1:{listening(pid)}"
        for address, name in ((scheduler, "scheduler"), (worker, "worker")):
            said = [asyncio.run(said_to(address, tls, op)) for op in TAKE_CODE[name]]
            assert said == ["None"] * len(TAKE_CODE[name])
            assert asyncio.run(said_to(address, tls, "identity")) != "None"
        with Client(scheduler, security=tls, set_as_default=False) as client:
            future = client.submit(os.mkdir, str(made), pure=False)
            until(lambda: future.status != "pending", "the scheduler to refuse it", 60)
        assert len(look(pool).snapshot.observations) == 2  # it goes on for others
    assert not made.exists()


async def said_to(address: str, tls: Security, op: str) -> str:
    """Return what a process of the pool says to an operation."""
    comm = await connect(address, **tls.get_connection_args("client"))
    await comm.write({"op": op, "reply": True})
    said = await comm.read()
    await comm.close()
    return str(said)


def listening(pid: int) -> int:
    """Return the port at which a process listens: it has one."""
    inodes = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    ports = {
        int(row[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6")
        for row in map(str.split, Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:])
        if row[3] == "0A" and f"socket:[{row[9]}]" in inodes
    }
    (port,) = ports
    return port


def test_without_tls_nothing_starts(pool: StandingPool, tmp_path: Path) -> None:
    tls = pool.controller
    done = subprocess.run(
        [*KBZ, "scheduler", "--listen", "127.0.0.1:9"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--ca" in done.stderr) == (ExitCode.USAGE, True)
    done = workers("scheduler", replace(tls, cert=tmp_path / "none.pem"))
    assert (done.returncode, "there is no such file" in done.stderr) == (ExitCode.FAILED, True)
    copy = tmp_path / "open.key"
    copy.write_bytes(tls.key.read_bytes())
    copy.chmod(0o644)
    with pytest.raises(InputError, match="others can read this key"):
        settings.security(replace(tls, key=copy))


def test_the_certificates_of_the_docs_are_taken(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"( *#!/bin/sh -eu\n.*?) *```", page, re.DOTALL)
    script = tmp_path / "pool-certificate"
    script.write_text(textwrap.dedent(found))
    for name in ("scheduler", "worker"):
        argv = ["sh", "-eu", str(script), name, "127.0.0.1"]
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    tls = Tls(tmp_path / "ca.pem", tmp_path / "worker.pem", tmp_path / "worker.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tmp_path / "scheduler.pem", tmp_path / "scheduler.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with context.wrap_socket(listener.accept()[0], server_side=True) as wrapped:
                wrapped.sendall(b"x")

        thread = threading.Thread(target=answer)
        thread.start()
        settings.knock(f"127.0.0.1:{listener.getsockname()[1]}", settings.security(tls))
        thread.join()


KBZ = (sys.executable, "-m", "keybuzz.cli.main", "workers")


def workers(verb: str, tls: Tls, *more: str) -> subprocess.CompletedProcess[str]:
    """Start a program of a pool that is to end by itself."""
    listen = ("--listen", f"127.0.0.1:{free_port()}")
    files = ("--ca", str(tls.ca), "--cert", str(tls.cert), "--key", str(tls.key))
    argv = [*KBZ, verb, *listen, *files, *more]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
