"""The lab's registry, load balancers and stand-in images, used as the real ones would be."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from keybuzz.cli.lab.lab_site import LabSite, read_lab_site
from keybuzz.lab import service, services
from keybuzz.lab.hosts import cgroup
from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network import balancer
from keybuzz.lab.network.namespace import visiting
from keybuzz.lab.supply import images, mirror
from keybuzz.lab.supply.stand_ins import stand_ins
from tests.lab.conftest import Kbz, bare_lab, until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces and containers need root"),
]

ONE, TWO = "haproxy-01", "haproxy-02"
PORT = 5672
LISTENER = """
import socket
with socket.create_server(("0.0.0.0", {port})) as server:
    while True:
        client = server.accept()[0]
        client.sendall(socket.gethostname().encode())
        client.close()
"""


def silent(host: str, sentence: str) -> None:
    """Progress that nobody reads."""


QUESTION = "abcd01000001000000000000" + "056e616d6573036c616200" + "00010001"
"""A query for the address of names.lab (RFC 1035, 4.1), in hexadecimal."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """Two servers after `kbz run base`, and every stand-in in the registry."""
    with bare_lab(tmp_path_factory.mktemp("site"), "kbz-svctest", "--limit", "haproxy") as made:
        made.good("run", "base", "--limit", "haproxy")
        settings = site_of(made).settings
        images.ensure(settings, stand_ins(), silent)
        mirror.fill(settings, stand_ins(), silent)
        yield made


def site_of(lab: Kbz) -> LabSite:
    return read_lab_site(str(lab.config))


def answer(lab: Kbz, address: IPv4Address) -> str:
    """Return what the port says to the controller; "" when nobody speaks there."""
    with visiting(NAMESPACES / site_of(lab).settings.name):
        client = socket.socket()
    with client:
        client.settimeout(3)
        try:
            client.connect((str(address), PORT))
            return client.recv(100).decode()
        except OSError:
            return ""


def start_listener(lab: Kbz, host: str) -> None:
    unit = "systemd-run --quiet --collect --unit=listener python3 -c"
    lab.on(host, f"{unit} '{LISTENER.format(port=PORT)}'")


def heard(lab: Kbz, address: IPv4Address) -> set[str]:
    return {answer(lab, address) for _ in range(6)}


def group_pids(lab: Kbz) -> dict[str, tuple[int, ...]]:
    settings = site_of(lab).settings
    return {name: service.group(settings, name).all_members() for name in service.names(settings)}


def test_all_services_answer_and_are_shown(lab: Kbz) -> None:
    shown = lab.good("lab", "status", "--limit", "haproxy").stdout
    rows = [line.split() for line in shown.splitlines() if " answers" in line]
    ports = {(row[1], int(row[2])) for row in rows}
    wanted = {
        (str(one.virtual.address), port)
        for one in site_of(lab).balancers()
        for port in one.virtual.ports
    }
    assert {("10.0.0.10", PORT), ("10.0.0.20", 3306)} <= wanted
    assert ports == {*wanted, ("10.0.0.1", 5000), ("1.1.1.1", 53)}


def test_the_services_listen_only_inside_the_labs_network(lab: Kbz) -> None:
    outside = Path("/proc/self/ns/net").readlink()
    for name, pids in group_pids(lab).items():
        assert pids, name
        assert all(Path(f"/proc/{pid}/ns/net").readlink() != outside for pid in pids)


def test_a_second_up_starts_builds_and_stores_nothing(lab: Kbz) -> None:
    before = group_pids(lab)
    started = time.monotonic()
    said = lab.good("lab", "up", "--limit", "haproxy").stdout
    assert time.monotonic() - started < 15
    assert group_pids(lab) == before
    assert not [word for word in ("Building", "Storing", "answers at") if word in said]


def test_up_makes_only_what_the_chosen_servers_run(lab: Kbz) -> None:
    assert "rabbitmq" not in lab.good("lab", "up", "--limit", ONE).stdout
    rows = lab.good("lab", "images").stdout
    assert rows.count("in the registry") == len(stand_ins())


def test_a_service_that_died_is_started_again(lab: Kbz) -> None:
    settings = site_of(lab).settings
    for name in service.names(settings):
        service.group(settings, name).kill()
    assert not services.running(settings)
    lab.good("lab", "up", "--limit", ONE)
    rows = services.status(settings, site_of(lab).balancers())
    assert all(row.answers for row in rows)


def test_a_server_is_told_that_there_is_no_such_name(lab: Kbz) -> None:
    """Unanswered, a program that looks up the name of its peer waits 10 s: rsync in a state transfer does."""
    ask = "import socket; asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); asked.settimeout(4); "
    ask += f"asked.sendto(bytes.fromhex('{QUESTION}'), ('8.8.8.8', 53)); print(asked.recv(512)[3] & 15)"
    assert lab.on(ONE, f'python3 -c "{ask}"').strip() == "3", "NXDOMAIN"


def test_a_server_pulls_the_frozen_reference_as_the_builder_made_it(lab: Kbz) -> None:
    settings = site_of(lab).settings
    lab.on(ONE, "docker pull --quiet haproxy:2.8.5")
    told = lab.on(
        ONE,
        "docker inspect --format '{{.Id}} {{index .Config.Labels \"kbz.standin\"}}' haproxy:2.8.5",
    )
    identity, provenance = told.strip().split(" ", 1)
    assert mirror.held(settings, ["haproxy:2.8.5"]) == {identity}
    assert provenance == "Debian 12 haproxy 2.6.12"


def test_a_reference_that_nobody_made_is_refused_at_once(lab: Kbz) -> None:
    started = time.monotonic()
    assert lab("lab", "exec", ONE, "--", "docker", "pull", "nosuch:1.2.3").code != 0
    assert time.monotonic() - started < 10


def test_a_load_balancer_leads_to_both_targets_and_leaves_a_dead_port(lab: Kbz) -> None:
    (first,) = (one for one in site_of(lab).balancers() if PORT in one.virtual.ports)
    address = first.virtual.address
    for host in (ONE, TWO):
        start_listener(lab, host)
    until(lambda: heard(lab, address) == {ONE, TWO}, 20, "round robin over both")
    lab.on(ONE, "systemctl stop listener")
    # LB-2: three checks, one each 2 s, and each may wait 2 s.
    until(lambda: heard(lab, address) == {TWO}, 15, "only the living target")
    rows = balancer.states(site_of(lab).settings, first.name)
    assert {row.target: row.up for row in rows if row.port == PORT} == {ONE: False, TWO: True}
    start_listener(lab, ONE)
    until(lambda: heard(lab, address) == {ONE, TWO}, 20, "both again")
    for host in (ONE, TWO):
        lab.on(host, "systemctl stop listener")


def run_image(lab: Kbz, name: str, options: str, reference: str, command: str = "") -> None:
    lab.on(ONE, f"docker run -d --name {name} --network host {options} {reference} {command}")


def in_container(lab: Kbz, name: str, command: str) -> str:
    """Return the output of a command in a container, "" when it fails."""
    return lab("lab", "exec", ONE, "--", "sh", "-c", f"docker exec {name} {command}").stdout


@pytest.fixture
def container(lab: Kbz) -> Iterator[str]:
    """The name for one container; what it leaves behind goes with it."""
    yield "trial"
    lab.on(ONE, "docker rm --force --volumes trial; rm -rf /opt/trial")


def test_redis_keeps_its_data_as_its_own_user(lab: Kbz, container: str) -> None:
    run_image(
        lab,
        container,
        "-v /opt/trial:/data",
        "redis:7.2.5-alpine",
        "--appendonly yes --requirepass x",
    )
    ping = "env REDISCLI_AUTH=x redis-cli ping"
    until(lambda: in_container(lab, container, ping) == "PONG\n", 20, "redis answers")
    assert lab.on(ONE, "stat -c %u:%g /opt/trial/appendonlydir") == "999:1000\n"
    assert lab.on(ONE, f"docker top {container} -o pid,uid").split()[-1] == "999"


def test_sentinel_writes_its_state_beside_its_configuration(lab: Kbz, container: str) -> None:
    text = "sentinel monitor kb-redis-master 10.0.0.123 6379 2"
    lab.on(
        ONE, f"mkdir /opt/trial; echo '{text}' >/opt/trial/sentinel.conf; chown -R 999 /opt/trial"
    )
    options = "--user 999:1000 -v /opt/trial:/etc/redis"
    run_image(
        lab, container, options, "redis:7.2.5-alpine", "redis-sentinel /etc/redis/sentinel.conf"
    )
    ask = "redis-cli -p 26379 sentinel get-master-addr-by-name kb-redis-master"
    until(lambda: "10.0.0.123" in in_container(lab, container, ask), 20, "sentinel answers")
    assert "sentinel myid" in lab.on(ONE, "cat /opt/trial/sentinel.conf")


def test_haproxy_judges_serves_and_reloads(lab: Kbz, container: str) -> None:
    config = (
        "global\n stats socket /var/lib/haproxy/stats mode 600 level admin\n"
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n"
        "listen redis\n bind 0.0.0.0:6379\n option tcp-check\n tcp-check expect string +PONG\n"
        " default-server inter 2s fall 3 rise 2 on-marked-down shutdown-sessions\n"
        " server redis-01 10.0.0.123:6379 check\n"
    )
    place = "/usr/local/etc/haproxy"
    lab.on(ONE, f"mkdir /opt/trial; printf '{config}' >/opt/trial/haproxy.cfg")
    judge = (
        f"docker run --rm -v /opt/trial:{place}:ro haproxy:2.8.5 haproxy -c -f {place}/haproxy.cfg"
    )
    assert "valid" in lab.on(ONE, f"{judge} 2>&1")
    assert lab("lab", "exec", ONE, "--", "sh", "-c", f"{judge}.absent").code != 0
    run_image(lab, container, f"-v /opt/trial:{place}:ro", "haproxy:2.8.5")
    ports = "ss -ltn sport = :6379"
    until(lambda: "0.0.0.0:6379" in lab.on(ONE, ports), 20, "haproxy listens")
    lab.on(ONE, f"sed -i s/6379/6380/ /opt/trial/haproxy.cfg; docker kill -s HUP {container}")
    until(lambda: "0.0.0.0:6380" in lab.on(ONE, "ss -ltn sport = :6380"), 20, "haproxy reloads")
    assert lab.on(ONE, f"docker top {container} -o pid,uid").split()[-1] == "99"


def test_pgbouncer_lets_only_its_users_in(lab: Kbz, container: str) -> None:
    config = (
        "[databases]\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=6432\nadmin_users=adm\n"
        "auth_type=scram-sha-256\nauth_file=/etc/pgbouncer/userlist.txt\n"
    )
    lab.on(
        ONE,
        f"mkdir /opt/trial; cd /opt/trial; printf '{config}' >pgbouncer.ini;"
        ' echo \'"adm" "right"\' >userlist.txt; chmod 600 *; chown -R 70 /opt/trial',
    )
    run_image(lab, container, "-v /opt/trial:/etc/pgbouncer", "edoburu/pgbouncer:v1.23.1-p3")
    ask = "psql -h 127.0.0.1 -p 6432 -U adm -Atc 'show version' pgbouncer"
    right, wrong = f"env PGPASSWORD=right {ask}", f"env PGPASSWORD=wrong {ask}"
    until(lambda: "PgBouncer" in in_container(lab, container, right), 20, "pgbouncer answers")
    assert in_container(lab, container, wrong) == ""


def test_rabbitmq_takes_the_frozen_configuration(lab: Kbz, container: str) -> None:
    text = "cluster_name = keybuzz-queue\\ndefault_queue_type = quorum\\nmanagement.tcp.port = 15672\\n"
    lab.on(ONE, f"mkdir -p /opt/trial/data; printf '{text}' >/opt/trial/rabbitmq.conf")
    lab.on(
        ONE,
        "printf COOKIE >/opt/trial/data/.erlang.cookie; chmod 400 /opt/trial/data/.erlang.cookie",
    )
    options = (
        f"--hostname {ONE} -e RABBITMQ_NODENAME=rabbit@{ONE} -e RABBITMQ_DEFAULT_USER=kb_rmq"
        " -e RABBITMQ_DEFAULT_PASS=right -v /opt/trial/data:/var/lib/rabbitmq"
        " -v /opt/trial/rabbitmq.conf:/etc/rabbitmq/rabbitmq.conf:ro"
    )
    run_image(lab, container, options, "rabbitmq:3.12.14-management")
    running = "rabbitmq-diagnostics -q check_running"
    until(lambda: "fully booted" in in_container(lab, container, running), 90, "rabbitmq runs")
    ports = in_container(lab, container, "rabbitmq-diagnostics -q check_port_connectivity")
    assert {"5672", "15672", "25672"} <= set(ports.replace(",", " ").split())
    login = "rabbitmqctl authenticate_user kb_rmq"
    assert "Success" in in_container(lab, container, f"{login} right")
    assert "Success" not in in_container(lab, container, f"{login} wrong")
    status = in_container(lab, container, "rabbitmqctl cluster_status --formatter json")
    assert '"cluster_name":"keybuzz-queue"' in status


GALERA = (
    "--stop-timeout 60 -e MARIADB_ROOT_PASSWORD=right -e MARIADB_GALERA_MARIABACKUP_PASSWORD=right"
    " -e MARIADB_DATABASE=erpnext -e MARIADB_USER=erpnext -e MARIADB_PASSWORD=right"
    " -e MARIADB_GALERA_CLUSTER_NAME=keybuzz-galera"
    " -e MARIADB_GALERA_CLUSTER_ADDRESS=gcomm://10.0.0.11,10.0.0.12"
    f" -e MARIADB_GALERA_NODE_NAME={ONE} -e MARIADB_GALERA_NODE_ADDRESS=10.0.0.11"
    " -v /opt/trial/data:/bitnami/mariadb"
    " -v /opt/trial/my.cnf:/opt/bitnami/mariadb/conf/my_custom.cnf:ro"
)
GALERA_IMAGE = "bitnamilegacy/mariadb-galera:10.11.6"


def test_galera_bootstraps_only_when_told_and_when_it_is_safe(lab: Kbz, container: str) -> None:
    lab.on(
        ONE,
        "mkdir -p /opt/trial/data; chown 1001 /opt/trial/data;"
        " printf '[mysqld]\\nwsrep_sst_method=rsync\\n"
        "wsrep_provider=/opt/bitnami/mariadb/lib/libgalera_smm.so\\n"
        'wsrep_provider_options="gcache.size=8M;pc.wait_prim_timeout=PT3S"\\n\' >/opt/trial/my.cnf',
    )
    exit_code = f"docker wait {container}; docker rm {container} >/dev/null"
    run_image(lab, container, GALERA, GALERA_IMAGE)
    assert lab.on(ONE, exit_code).strip() != "0"
    assert lab.on(ONE, "ls /opt/trial/data/data/mysql 2>/dev/null || true") == ""

    bootstrap = f"{GALERA} -e MARIADB_GALERA_CLUSTER_BOOTSTRAP=yes"
    run_image(lab, container, bootstrap, GALERA_IMAGE)
    ask = "env MYSQL_PWD=right mysql -h 10.0.0.11 -u erpnext erpnext -Nse"
    state = f"{ask} 'show status like \"wsrep_local_state_comment\"'"
    until(lambda: "Synced" in in_container(lab, container, state), 60, "galera is synced")
    in_container(lab, container, f"{ask} 'create table kept (number int primary key)'")
    lab.on(ONE, f"docker rm --force {container}")

    # As after a crash of a node that was not alone.
    lab.on(ONE, "sed -i s/bootstrap:.1/bootstrap:\\ 0/ /opt/trial/data/data/grastate.dat")
    run_image(lab, container, bootstrap, GALERA_IMAGE)
    assert lab.on(ONE, f"docker wait {container}").strip() != "0"
    assert "not safe to bootstrap" in lab.on(ONE, f"docker logs {container} 2>&1")
    lab.on(ONE, f"docker rm {container}")

    force = f"{bootstrap} -e MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP=yes"
    run_image(lab, container, force, GALERA_IMAGE)
    until(lambda: "Synced" in in_container(lab, container, state), 60, "galera is forced up")
    assert in_container(lab, container, f"{ask} 'show tables'") == "kept\n"


def test_down_ends_every_service(lab: Kbz) -> None:
    settings = site_of(lab).settings
    lab.good("lab", "down")
    assert cgroup.group_names(settings.name) == ()
    assert not [path for path in NAMESPACES.iterdir() if path.name.startswith(settings.name)]
    assert services.running(settings) == ()
    assert not (settings.root / "services" / "registry").exists()
    assert not settings.builder_socket.exists()
