"""What the tests of Galera share: its places, its verbs, and how its nodes are asked."""

from __future__ import annotations

from tests.lab.conftest import Done, Kbz
from tests.lab.ledgers.galera_ledger import ADDRESSES, GaleraLedger

HOSTS = tuple(ADDRESSES)
CONF = "/opt/keybuzz/mariadb/conf/my.cnf"
START = "/opt/keybuzz/mariadb/conf/start.sh"
DATA = "/opt/keybuzz/mariadb/data/data"
RUN = ("run", "galera", "--limit", "galera", "--format", "json")
LIFTED = (*RUN, "--lift-freeze", "galera", "--reason", "the owner said so on the phone")
FLAG = "MARIADB_GALERA_CLUSTER_BOOTSTRAP"


def containers(kbz: Kbz) -> dict[str, str]:
    """Return id and start time of each host's container."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' mariadb"
    return {host: kbz.on(host, shown) for host in HOSTS}


def changed(done: Done) -> set[tuple[str, str]]:
    """Return host and resource of every change in a plan."""
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


def quoted(script: str) -> str:
    """Return a script that can stand between single quotes of a shell."""
    return script.replace("'", "'\\''")


def whole(ledger: GaleraLedger) -> bool:
    """Return whether all three serve as one cluster."""
    states = {ledger.status(host, "wsrep_local_state_comment") for host in HOSTS}
    return states == {"Synced"} and ledger.status("maria-01", "wsrep_cluster_size") == "3"


def inside(kbz: Kbz, host: str, statement: str) -> str:
    """Run a statement on a node itself, also when its host has no network."""
    argv = f'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" mysql -h 127.0.0.1 -u root -N -e "{statement}"'
    return kbz.on(host, f"docker exec mariadb sh -c '{quoted(argv)}'")
