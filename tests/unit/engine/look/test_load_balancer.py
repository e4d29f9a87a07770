"""What is said about the provider's load balancers, and what counts as good."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address

import pytest
from click.testing import CliRunner

from keybuzz.cli.main import cli
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.load_balancer import UNASKED, balancers, check, entrance_of, exit_code
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.reading import Answer, HttpGet
from keybuzz.model.inventory.server import VirtualAddress
from keybuzz.model.services.load_balancer import Probe, Verdict, health_check
from keybuzz.report.text.load_balancer import check_document, check_text, settings_text
from keybuzz.site.module import Entrance, Module
from keybuzz.site.site import Site
from tasks import k3s
from tasks.patroni.service.readings import PostgresLogin
from tasks.postgres_proxy import MODULE
from tests.unit.support.site_values import Row, fleet_of, memory_site, planted_configuration


def probe(verdict: Verdict, port: int = 5432) -> Probe:
    return Probe("lb-haproxy", port, "haproxy-01", "10.0.0.11", verdict, "said")


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of loopback that accepts, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


class Hello(BaseHTTPRequestHandler):
    """Answers everything with an empty document."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def answering() -> Iterator[int]:
    """A port of loopback at which somebody answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def loopback(ports: tuple[int, ...]) -> Site:
    """Return a site whose one load balancer and its one target are this machine."""
    row = Row("entryhost-01", IPv4Address("10.0.3.1"), "lb", "internal-haproxy", "haproxy-docker")
    servers, catalogue = fleet_of((row,))
    virtual = VirtualAddress("lb-haproxy", IPv4Address("127.0.0.1"), ports, ("haproxy",))
    local = tuple(replace(server, address=IPv4Address("127.0.0.1")) for server in servers)
    catalogue = replace(catalogue, virtual_addresses=(virtual,))
    return replace(memory_site(), servers=local, catalogue=catalogue)


def with_entrance(port: int) -> Module:
    """Return a module whose one entrance is good when somebody answers HTTP there."""
    return replace(MODULE, entrances=(speaking(port),))


def speaking(port: int) -> Entrance:
    def ask(site: Site, address: str) -> HttpGet:
        return HttpGet("anything", f"http://{address}:{port}/")

    def wrong(answer: Answer) -> str:
        return "" if answer.value["status"] == 200 else f"status {answer.value['status']}"

    return Entrance(port, ask, wrong, "it speaks")


def test_load_balancer_services_are_not_forgotten_all_of_them_are_said() -> None:
    """Once 5672 and 6432 were missing at the provider, and nothing told."""
    text = settings_text(balancers(memory_site()))
    for port in (5432, 6432, 6379, 5672, 3306, 80, 443):
        assert f"{port} → {port}   check: {health_check(port)}" in text
    assert "lb-haproxy: 10.0.0.10, private network only" in text
    assert "haproxy-01 10.0.0.11, haproxy-02 10.0.0.12" in text
    assert "lb-public-1: 10.0.0.5, public" in text


def test_targets_are_the_proxies_and_never_a_database() -> None:
    site = memory_site()
    private = {b.virtual.name: {s.name for s in b.targets} for b in balancers(site) if b.private}
    assert private == {
        "lb-haproxy": {"haproxy-01", "haproxy-02"},
        "lb-proxysql": {"proxysql-01", "proxysql-02"},
    }


def test_someone_who_answers_is_good_at_the_target_and_through_the_load_balancer(
    answering: int,
) -> None:
    probes = check(loopback((answering,)), [with_entrance(answering)])
    assert [(p.place, p.verdict) for p in probes] == [
        ("entryhost-01", Verdict.GOOD),
        ("through it", Verdict.GOOD),
    ]
    assert exit_code(probes) is ExitCode.GOOD


def test_nobody_there_is_bad(listening: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    probes = check(loopback((listening, port)), [with_entrance(port)])
    assert {p.verdict for p in probes if p.port == port} == {Verdict.BAD}
    assert "refused" in next(p.message for p in probes if p.port == port)
    assert exit_code(probes) is ExitCode.DIFFERENT


def test_an_open_port_without_postgresql_behind_it_is_bad(listening: int) -> None:
    """A TCP check alone would call it good."""
    site = loopback((listening,))
    entrance = MODULE.entrances[0]
    own = entrance.ask

    def brief(site: Site, address: str) -> PostgresLogin:
        login = own(site, address)
        assert isinstance(login, PostgresLogin)
        return replace(login, port=listening, timeout=0.2)

    module = replace(MODULE, entrances=(replace(entrance, port=listening, ask=brief),))
    assert {p.verdict for p in check(site, [module])} == {Verdict.BAD}


def test_a_service_whose_module_is_not_there_is_not_checked_and_never_good() -> None:
    probes = check(loopback((6379,)), [MODULE])
    assert [p.verdict for p in probes] == [Verdict.NOT_CHECKED]
    assert exit_code(probes) is ExitCode.DIFFERENT
    text = check_text([probe(Verdict.GOOD), *probes])
    assert text.endswith("checked 1 of 2 services; 1 good; 1 not checked")


def test_what_is_not_in_this_lab_is_not_asked(answering: int) -> None:
    site = loopback((answering,))
    (found,) = check(site, [with_entrance(answering)], frozenset({"entryhost-01"}))
    assert (found.verdict, found.message) == (
        Verdict.NOT_CHECKED,
        "no target of it is in this lab",
    )


def test_no_service_is_said_to_be_unknown_to_this_version() -> None:
    """Each port of the real catalogue has an entrance, or the reason why it is not asked."""
    modules = tuple(all_modules())
    for balancer in balancers(memory_site()):
        for port in balancer.virtual.ports:
            assert entrance_of(modules, balancer, port) or port in UNASKED, port


def test_a_website_is_asked_as_the_provider_asks() -> None:
    (entrance,) = k3s.MODULE.entrances
    question = entrance.ask(memory_site(), "10.0.0.5")
    assert isinstance(question, HttpGet)
    assert question.url == "http://10.0.0.5:80/healthz"
    assert entrance.wrong(Answer("x", {"status": 200, "json": None})) == ""
    assert entrance.wrong(Answer("x", {"status": 404, "json": None})) == "/healthz: 404"
    assert entrance.wrong(Answer("x", problem="refused")) == "refused"


def test_one_bad_place_is_enough() -> None:
    assert exit_code([probe(Verdict.GOOD), probe(Verdict.BAD)]) is ExitCode.DIFFERENT
    assert exit_code([probe(Verdict.GOOD), probe(Verdict.NOT_CHECKED)]) is ExitCode.GOOD
    assert exit_code([]) is ExitCode.DIFFERENT


def test_the_document_holds_every_place() -> None:
    document = check_document([probe(Verdict.GOOD), probe(Verdict.NOT_CHECKED, 6379)])
    assert [item["verdict"] for item in document["probes"]] == ["good", "not checked"]
    assert document["probes"][0]["port"] == 5432


def test_each_entrance_is_a_port_of_the_catalogue() -> None:
    virtual = memory_site().catalogue.virtual_addresses
    for module in all_modules():
        for entrance in module.entrances:
            targets = {module.group, *(f"{module.group}-{kind}" for kind in ("masters", "workers"))}
            assert [v for v in virtual if entrance.port in v.ports and targets & set(v.targets)]


def test_lb_show_is_a_document_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    configuration = planted_configuration(tmp_path_factory.mktemp("site"))
    words = ["--config", str(configuration.path), "lb", "show", "--format", "json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    names = [item["name"] for item in json.loads(done.output)["load_balancers"]]
    assert names == ["lb-haproxy", "lb-proxysql", "lb-public-1", "lb-public-2"]
