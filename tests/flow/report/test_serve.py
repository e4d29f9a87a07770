"""`kbz serve`, a real process with real clients: what it shows, to whom, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import Journal
from keybuzz.report.machine.prometheus import prometheus_text
from keybuzz.report.page.sheet import sheet_of
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.flow.support.browser import PROGRAM, browser
from tests.flow.support.serving import ROOT, SECONDS, Serving, command, serving, site
from tests.flow.support.sshd import until
from tests.unit.support.page_values import NOW, health, looked, remembered

SITE = load_inventory_site(read_configuration(ROOT / "nornir_config.yaml"))
REPORT = health(SITE)
TYPES = {
    "/": "text/html; charset=utf-8",
    "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    "/healthz": "text/plain; charset=utf-8",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve")) as found:
        remembered(found.journal)
        looked(found.journal, REPORT, NOW)
        yield found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("changing")) as found:
        yield found


@pytest.mark.parametrize("target", TYPES)
def test_each_resource_has_its_type_and_is_kept_by_nobody(server: Serving, target: str) -> None:
    found = server.get(target)
    assert found.status == 200
    assert found.headers["Content-Type"] == TYPES[target]
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert found.headers["Server"] == "kbz"
    head = server.get(target, "HEAD")
    assert (head.status, head.text) == (200, "")
    same = ("Content-Type", "Content-Length")
    assert [head.headers[name] for name in same] == [found.headers[name] for name in same]
    assert int(found.headers["Content-Length"]) == len(found.text.encode())


def test_the_page_shows_the_last_health_with_its_moment_and_what_is_remembered(
    server: Serving,
) -> None:
    page = server.get("/").text
    assert "redis.node.answers" in page
    assert "keybuzz-galera" in page
    assert re.search(r"47 of 48 hosts answered · asked 2026-09-2\d \d\d:\d\d", page)
    assert "kbz drill patroni" in page
    assert "<script" not in page


def test_the_metrics_are_those_of_health_at_the_moment_of_the_look(server: Serving) -> None:
    found = server.get("/metrics").text
    assert found == prometheus_text(sheet_of(REPORT), NOW)
    assert f'kbz_last_run_timestamp_seconds{{verb="health"}} {NOW:.0f}' in found


def test_what_is_not_there_is_refused(server: Serving) -> None:
    assert server.get("/journal.sqlite").status == 404
    assert server.get("/../inventory/site.yaml").status == 404
    posted = server.get("/", "POST")
    assert (posted.status, posted.headers["Allow"]) == (405, "GET, HEAD")
    assert server.get("/", headers={"Content-Length": "5"}).status == 413


def test_a_page_that_turned_its_name_to_us_gets_nothing(server: Serving) -> None:
    for target in TYPES:
        found = server.get(target, headers={"Host": f"evil.example:{server.port}"})
        assert found.status == 421
        assert "redis" not in found.text
    assert server.get("/healthz", headers={"Host": "localhost:8080"}).status == 200


def test_a_slow_client_holds_up_nobody(server: Serving) -> None:
    """Its end is in test_web_server.py, with shorter limits."""
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda n: server.get(list(TYPES)[n % 3]).status, range(24)))
        slow.sendall(b"alhost\r\n\r\n")
        slow.settimeout(SECONDS)
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
    assert found == [200] * 24


@pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not there")
def test_a_browser_shows_the_page_and_complains_about_nothing(
    server: Serving, tmp_path: Path
) -> None:
    with browser(tmp_path) as window:
        window.open(server.url, 1200)
        assert window.value("document.querySelectorAll('.chip').length") == 48
        assert (
            window.value("getComputedStyle(document.querySelector('.chip')).borderRadius") != "0px"
        )
        assert window.requests == [server.url]
        assert window.complaints == []


class TestWhileItServes:
    """The journal is read anew for each request."""

    def test_nothing_is_known_at_first(self, fresh: Serving) -> None:
        assert fresh.get("/metrics").text == "# no kbz health and no kbz drift is remembered yet\n"
        assert "The journal is empty." in fresh.get("/").text

    def test_what_others_write_is_shown_at_once(self, fresh: Serving) -> None:
        looked(fresh.journal, REPORT, NOW)
        assert "47 of 48 hosts answered" in fresh.get("/").text
        drift = replace(REPORT, verb="drift", findings=())
        looked(fresh.journal, drift, NOW + 60)
        assert "kbz drift" in fresh.get("/").text
        metrics = fresh.get("/metrics").text
        count = len(REPORT.plan.of("mail-core-01"))
        assert f'kbz_drift_differences{{verb="drift",host="mail-core-01"}} {count}' in metrics
        assert metrics.count("# TYPE kbz_last_run_timestamp_seconds gauge") == 1
        looked(fresh.journal, replace(REPORT, findings=()), NOW + 120)
        assert "kbz_check_level" not in fresh.get("/metrics").text

    def test_a_journal_that_is_damaged_is_a_sentence_until_it_is_good_again(
        self, fresh: Serving
    ) -> None:
        kept = fresh.journal.read_bytes()
        said = len(fresh.lines())
        fresh.journal.write_bytes(b"this is no database, and long enough to be seen as none\n" * 99)
        for target in ("/", "/metrics", "/metrics"):
            found = fresh.get(target)
            assert found.status == 503
            assert re.fullmatch(r"the journal cannot be used: .+ → .+\n", found.text)
            assert found.headers["Content-Type"] == TYPES["/healthz"]
        assert fresh.get("/healthz").status == 200
        assert len([line for line in fresh.lines()[said:] if line.startswith("kbz serve: ")]) == 2
        fresh.journal.write_bytes(kept)
        assert fresh.get("/").status == 200

    def test_a_journal_that_is_gone_is_not_made_anew(self, fresh: Serving) -> None:
        away = fresh.journal.rename(fresh.journal.with_suffix(".away"))
        assert fresh.get("/").status == 503
        assert not fresh.journal.exists()
        away.rename(fresh.journal)
        assert fresh.get("/").status == 200

    def test_an_answer_of_another_version_is_a_sentence_until_the_next_look(
        self, fresh: Serving
    ) -> None:
        run = looked(fresh.journal, REPORT, NOW + 180)
        Documents(fresh.journal).keep(run, '{"format_version": 99}')
        for target in ("/", "/metrics"):
            found = fresh.get(target)
            assert found.status == 503
            assert found.text.endswith(
                "or of another version of kbz → kbz health makes a new one\n"
            )
        looked(fresh.journal, REPORT, NOW + 240)
        assert fresh.get("/metrics").status == 200

    def test_a_fault_of_kbz_is_a_sentence_too(self, fresh: Serving) -> None:
        run = looked(fresh.journal, REPORT, NOW + 300)
        Documents(fresh.journal).keep(run, '{"format_version": 1, "verb": "health"}')
        for target in ("/", "/metrics"):
            found = fresh.get(target)
            assert (found.status, found.text.count("\n")) == (503, 1)
        assert "Traceback" not in fresh.said.read_text()


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_at_once_with_a_client_that_hangs_and_frees_the_port(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        # pytest may run in the background, where SIGINT is ignored: a shell gives it back.
        with serving(tmp_path, "env", "--default-signal=INT") as server:
            with socket.create_connection(("127.0.0.1", server.port)) as hanging:
                hanging.sendall(b"GET / HTTP/1.1\r\n")
                assert server.get("/healthz").status == 200
                server.process.send_signal(number)
                assert server.process.wait(5) == 0
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.bind(("127.0.0.1", server.port))
                other.listen()
            assert len(server.lines()) == 1, server.lines()

    def test_a_port_that_is_taken_is_an_error(self, server: Serving, tmp_path: Path) -> None:
        config, _ = site(tmp_path)
        argv = command(config, "--listen", f"127.0.0.1:{server.port}")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 1
        assert done.stderr == (
            f"kbz: 127.0.0.1:{server.port}: cannot listen there: Address already in use\n"
            "  → perhaps another kbz serve is at work; --listen names another port\n"
        )

    def test_an_address_for_anybody_is_refused(self, tmp_path: Path) -> None:
        config, journal = site(tmp_path)
        argv = command(config, "--listen", "0.0.0.0:0")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert (done.returncode, done.stdout) == (3, "")
        assert "the page has no password and no encryption" in done.stderr
        assert not journal.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_a_private_address_is_served_under_its_name_and_said_what_it_means(tmp_path: Path) -> None:
    """In a network namespace that leads nowhere."""
    script = 'ip link set lo up && ip address add 192.168.77.1/32 dev lo && exec "$0" "$@"'
    before = ("unshare", "--net", "sh", "-c", script)
    with serving(tmp_path, *before, listen="192.168.77.1:9048") as server:
        until(lambda: len(server.lines()) == 2, "the second line")
        assert server.lines()[1].startswith(
            "whoever reaches 192.168.77.1:9048 reads, without a password and without encryption: "
        )
        client = (
            "from http.client import HTTPConnection as C; c = C('192.168.77.1', 9048);"
            "c.request('GET', '/healthz', headers={'Host': H} if (H := __import__('sys').argv[1]) else {});"
            "print(c.getresponse().status)"
        )
        inside = [
            "nsenter",
            "--net",
            f"--target={server.process.pid}",
            sys.executable,
            "-c",
            client,
        ]
        found = [
            subprocess.run([*inside, host], capture_output=True, text=True, check=True).stdout
            for host in ("", "evil.example")
        ]
        assert found == ["200\n", "421\n"]


def test_it_has_no_way_to_a_host(tmp_path: Path) -> None:
    """What could connect is never loaded."""
    with serving(tmp_path, "env", "PYTHONPROFILEIMPORTTIME=1") as server:
        remembered(server.journal)
        for target in TYPES:
            assert server.get(target).status == 200
        loaded = {line.rpartition("|")[2].strip() for line in server.lines() if "|" in line}
    assert {"keybuzz.report.page.page", "jinja2"} <= loaded
    ways = {"paramiko", "netmiko", "keybuzz.transport.ssh.link", "keybuzz.transport.ssh.netmiko"}
    assert not loaded & ways


def test_who_only_reads_leaves_the_journal_as_it_is(server: Serving) -> None:
    before = Journal(server.journal).runs(1000)
    content = server.journal.read_bytes()
    for target in TYPES:
        assert server.get(target).status == 200
    assert server.journal.read_bytes() == content
    assert Journal(server.journal).runs(1000) == before
