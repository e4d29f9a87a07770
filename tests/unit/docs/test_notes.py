"""docs/requirements.md: every sentence of the owner's notes has its row, and what the rows say is so."""

from __future__ import annotations

import re

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.services.load_balancer import health_check
from keybuzz.site.applications.parse import load_applications
from keybuzz.site.credentials.schema import EXTERNAL_FILES
from tests.unit.docs.test_pains import names
from tests.unit.docs.test_requirements import IDS, PAGE, ROOT
from tests.unit.support.inventory_files import real_servers
from tests.unit.support.site_values import described, memory_site

SENTENCES = {
    1: 11,
    2: 14,
    3: 14,
    4: 14,
    5: 18,
    6: 10,
    7: 8,
    8: 4,
    9: 5,
    10: 6,
    11: 8,
    12: 2,
    13: 3,
}
"""Sentences of each section of the notes; 11 is their order, 12 the scripts of reference, 13 the final notes."""
ANCHORS = [f"N{section}-{n + 1}" for section, count in SENTENCES.items() for n in range(count)]
ADDRESSES = {
    "minio-01": "10.0.0.134",
    "minio-02": "10.0.0.131",
    "minio-03": "10.0.0.132",
    "haproxy-01": "10.0.0.11",
    "haproxy-02": "10.0.0.12",
    "proxysql-01": "10.0.0.173",
    "proxysql-02": "10.0.0.174",
}
USERS = {
    "redis": {
        *("keybuzz-api", "keybuzz-ui", "chatwoot", "n8n", "workers", "connectors"),
        *("superset", "workplace", "backoffice"),
    },
    "rabbitmq": {
        *("keybuzz-api", "workers", "n8n", "connectors", "chatwoot", "superset", "backoffice"),
    },
    "mariadb": {"erpnext", "n8n", "workers"},
}
"""Which application the notes name for which service."""
_PATH = re.compile(r"`([\w/.-]+\.(?:py|yaml|tsv|txt|sh|md)|[\w/-]+/Dockerfile)(?:::([\w:]+))?`")
_OUTSIDE = ("/opt/", "/usr/")


def rows() -> dict[str, tuple[str, ...]]:
    """Return the cells after the anchor, by anchor."""
    found: dict[str, tuple[str, ...]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.fullmatch(r"N\d+-\d+", cells[0]):
            assert len(cells) == 5, line
            assert cells[0] not in found, cells[0]
            found[cells[0]] = tuple(cells[1:])
    return found


def test_every_sentence_has_its_row_in_their_order() -> None:
    assert list(rows()) == ANCHORS


@pytest.mark.parametrize("anchor", ANCHORS)
def test_what_does_it_and_what_proves_it_are_there(anchor: str) -> None:
    sentence, requirement, done_by, proven_by = rows()[anchor]
    assert sentence
    if requirement == "none":
        assert done_by, "it says why nothing is asked for"
        assert proven_by == "nothing to prove"
        return
    assert requirement in IDS
    doers = [path for path, _ in _PATH.findall(done_by) if not path.startswith(_OUTSIDE)]
    assert doers, "nothing does it"
    assert [path for path in doers if not (ROOT / path).is_file()] == []
    proofs = _PATH.findall(proven_by)
    assert proofs, "nothing proves it"
    assert [f"{path}::{name}" for path, name in proofs if name not in names(path)] == []


def test_the_servers_have_the_addresses_of_the_notes() -> None:
    found = {server.name: str(server.address) for server in real_servers()}
    assert {name: found[name] for name in ADDRESSES} == ADDRESSES


def test_the_checks_that_the_provider_must_do_are_the_notes() -> None:
    assert health_check(6379).startswith("TCP")
    assert health_check(5672) == "TCP, interval 2 s, timeout 3 s, 3 retries"
    assert health_check(3306) == "TCP, interval 2 s, timeout 2 s, 3 retries"


def test_each_application_uses_what_the_notes_say() -> None:
    found = load_applications(ROOT / "inventory" / "applications.yaml").items
    for service, wanted in USERS.items():
        assert {item.name for item in found if item.uses(service)} == wanted


def test_the_patroni_image_holds_what_the_notes_name() -> None:
    folder = ROOT / "tasks" / "patroni" / "image"
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert "chown -R postgres:postgres /var/run/postgresql" in text
    words = [line for line in text.splitlines() if line.startswith(("USER", "CMD"))]
    assert words[-2:] == ["USER postgres", 'CMD ["patroni", "/etc/patroni/patroni.yml"]']
    asked = (folder / "requirements.in").read_text(encoding="utf-8").splitlines()
    assert "patroni[raft]==3.3.0" in asked
    locked = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("patroni==3.3.0 ") for line in locked)


def test_the_controller_has_versions_yaml_where_the_notes_say() -> None:
    (base,) = [module for module in all_modules() if module.name == "base"]
    resources = described(memory_site(), base)["install-01"].modules["base"].resources
    paths = [item.path for item in resources if isinstance(item, File)]
    assert "/opt/keybuzz-installer/versions.yaml" in paths


def test_no_unit_of_systemd_is_described_for_redis_or_rabbitmq() -> None:
    for module in all_modules():
        if module.name not in ("redis", "rabbitmq"):
            continue
        for host in described(memory_site(), module).values():
            found = host.modules[module.name].resources
            assert not [item for item in found if isinstance(item, SystemdUnit)]


def test_containers_restart_unless_stopped() -> None:
    seen = [
        item
        for module in all_modules()
        for host in described(memory_site(), module).values()
        for item in host.modules[module.name].resources
        if isinstance(item, Container)
    ]
    assert len(seen) > 10
    assert {item.restart for item in seen} == {"unless-stopped"}


def test_every_entry_is_frozen_with_its_cluster() -> None:
    frozen = {module.name: module.frozen_as for module in all_modules()}
    assert frozen["redis-proxy"] == "redis"
    assert frozen["rabbitmq-proxy"] == "rabbitmq"
    assert frozen["proxysql"] == "galera"


def test_the_store_is_where_the_notes_say_with_their_ten_files() -> None:
    assert str(memory_site().settings.credentials) == "/opt/keybuzz-installer/credentials"
    wanted = "postgres redis rabbitmq minio mariadb proxysql k3s mail marketplaces stripe"
    owners = [module for module in all_modules() if not module.on_request]
    files = {*EXTERNAL_FILES, *(item.file for owner in owners for item in owner.credentials)}
    later = {"backup.env"}
    """Of a module that the notes do not know."""
    assert sorted(files - later) == sorted(f"{name}.env" for name in wanted.split())
