"""What the Galera stand-in's entry scripts do, line by line of its contract.

A container has no network but its own loopback here: a cluster of one node at 127.0.0.1 needs no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import Done, until
from tests.lab.support.built import Engine, Running

pytestmark = pytest.mark.lab

RECIPE = "mariadb-galera"
RUN = "/opt/bitnami/scripts/mariadb-galera/run.sh"
BOOTSTRAP = ("-e", "MARIADB_GALERA_CLUSTER_BOOTSTRAP=yes")
_PASSWORDS = (
    "-e",
    "MARIADB_ROOT_PASSWORD=right",
    "-e",
    "MARIADB_GALERA_MARIABACKUP_PASSWORD=right",
)
_NODE = ("-e", "MARIADB_GALERA_NODE_ADDRESS=127.0.0.1", "-e", "MARIADB_GALERA_SST_METHOD=rsync")
_OTHERS = ("-e", "MARIADB_GALERA_CLUSTER_ADDRESS=gcomm://127.0.0.1,127.0.0.9")
MY_CNF = """[mysqld]
wsrep_sst_method=rsync
wsrep_provider=/opt/bitnami/mariadb/lib/libgalera_smm.so
wsrep_cluster_address=gcomm://127.0.0.1,127.0.0.9
wsrep_provider_options="gcache.size=8M;pc.wait_prim_timeout=PT3S"
"""
OWN = "[mysqld]\nwsrep_provider_options=gcache.size=8M\n"
DATA = "/bitnami/mariadb/data"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An empty volume of user 1001."""
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    _own(folder)
    tmp_path.chmod(0o755)
    return folder


def _own(path: Path) -> None:
    import os

    os.chown(path, 1001, 1001)


def options(volume: Path, my_cnf: str, *more: str) -> tuple[str, ...]:
    mounted = volume.parent / "my.cnf"
    mounted.write_text(my_cnf)
    mounted.chmod(0o644)
    binds = ("-v", f"{volume}:/bitnami/mariadb")
    custom = ("-v", f"{mounted}:/opt/bitnami/mariadb/conf/my_custom.cnf:ro")
    return (*_PASSWORDS, *_NODE, *binds, *custom, *more)


def started(
    docker: Engine, volume: Path, my_cnf: str, *more: str
) -> AbstractContextManager[Running]:
    return docker.running(RECIPE, options=options(volume, my_cnf, *more))


@contextmanager
def serving(docker: Engine, volume: Path, *more: str) -> Iterator[Running]:
    """Bootstrap a node of its own and wait until it serves: the server of the setup answers before that."""
    with started(docker, volume, OWN, *BOOTSTRAP, *more) as node:
        until(lambda: node.says("cat /proc/1/comm") == "mysqld\n", 120, "setup has ended")
        until(lambda: status(node, "wsrep_ready") == "ON", 120, "it serves")
        yield node


def ask(node: Running, statement: str, user: str = "root") -> Done:
    return node.sh(f'MYSQL_PWD=right mysql -h 127.0.0.1 -u {user} -Nse "{statement}"')


def status(node: Running, name: str) -> str:
    return ask(node, f"show status like '{name}'").stdout.partition("\t")[2].strip()


def test_another_first_word_starts_without_setup_and_ends(docker: Engine, volume: Path) -> None:
    """B1: a script around run.sh is not run.sh."""
    words = ("/bin/bash", "-c", 'exec "$0"', RUN)
    done = docker.once(RECIPE, *words, options=options(volume, OWN, *BOOTSTRAP))
    assert done.code == 1
    assert "Starting MariaDB setup" not in done.stderr
    assert "cannot touch '/bitnami/mariadb/.bootstrap/done'" in done.stderr
    assert list(volume.iterdir()) == []


def test_the_image_brings_a_my_cnf_that_is_a_cluster_of_its_own(docker: Engine) -> None:
    conf = "/opt/bitnami/mariadb/conf"
    done = docker.once(RECIPE, f"{conf}/my.cnf", options=("--entrypoint", "cat"))
    lines = done.stdout.splitlines()
    assert {"wsrep_cluster_address=gcomm://", "wsrep_cluster_name=galera"} <= set(lines)
    assert {"wsrep_sst_method=mariabackup", "log_bin=mysql-bin"} <= set(lines)
    assert "plugin_load_add = auth_pam" in lines
    assert lines[-1] == f"!include {conf}/bitnami/my_custom.cnf"
    included = docker.once(RECIPE, f"{conf}/bitnami", options=("--entrypoint", "ls"))
    assert included.stdout == ""


def test_a_bootstrap_under_a_mounted_cluster_address_never_serves(
    docker: Engine, volume: Path
) -> None:
    """B2: nothing adds --wsrep-new-cluster, the server of the setup ends, and setup goes on waiting in silence."""
    with started(docker, volume, MY_CNF, *BOOTSTRAP, *_OTHERS) as node:
        until(lambda: "in background" in node.log().stderr, 60, "the setup's server is started")
        until(lambda: not node.says("pidof mysqld"), 60, "it has ended")
        assert node.runs, "setup waits for it"
        assert (volume / "data" / "mysql").is_dir()
        log = node.log()
        assert "failed to open channel" not in log.stdout + log.stderr
        assert log.stdout == ""
        written = node.says("grep ^wsrep_cluster_address /opt/bitnami/mariadb/conf/my.cnf")
        assert written == "wsrep_cluster_address=gcomm://\n"


def test_extra_flags_reach_both_servers(docker: Engine, volume: Path) -> None:
    """And --wsrep-new-cluster among them is how a bootstrap works under a mounted cluster address."""
    flags = ("-e", "MARIADB_EXTRA_FLAGS=--wsrep-new-cluster --max-connections=17")
    seen: set[str] = set()

    def ready(node: Running) -> bool:
        line = node.says("tr '\\0' ' ' </proc/$(pidof mysqld)/cmdline")
        seen.add(line)
        last = bool(line) and "--skip-slave-start" not in line
        return last and status(node, "wsrep_cluster_status") == "Primary"

    with started(docker, volume, MY_CNF, *BOOTSTRAP, *_OTHERS, *flags) as node:
        until(lambda: ready(node), 120, "it is Primary")
        assert ask(node, "select @@max_connections").stdout == "17\n"
    servers = {
        ("--skip-slave-start" in line, "--wsrep-new-cluster" in line) for line in seen if line
    }
    assert (True, True) in servers, seen
    assert (False, True) in servers, seen


def test_setup_makes_four_accounts_and_the_database_test(docker: Engine, volume: Path) -> None:
    with serving(docker, volume) as node:
        rows = ask(node, "select user, host from mysql.global_priv order by 1, 2").stdout
        assert [tuple(line.split("\t")) for line in rows.splitlines()] == [
            ("mariabackup", "localhost"),
            ("mariadb.sys", "localhost"),
            ("monitor", "%"),
            ("monitor", "localhost"),
            ("root", "%"),
        ]
        assert "PROCESS" in ask(node, "show grants for monitor@localhost").stdout
        assert "BINLOG MONITOR" in ask(node, "show grants for monitor@'%'").stdout
        assert "test" in ask(node, "show databases").stdout.split()


def test_without_the_database_test_where_it_is_not_wanted(docker: Engine, volume: Path) -> None:
    with serving(docker, volume, "-e", "MARIADB_SKIP_TEST_DB=yes") as node:
        assert "test" not in ask(node, "show databases").stdout.split()


def test_half_made_data_counts_as_persisted(docker: Engine, volume: Path) -> None:
    """C1: a first start that was cut off within setup leaves a database without users, for ever."""
    with started(docker, volume, OWN, *BOOTSTRAP) as node:
        until((volume / "data" / "mysql").is_dir, 60, "setup has begun")
        until(lambda: "in background" in node.log().stderr, 60, "system tables are there")
        node.signal("KILL")
    assert not (volume / ".bootstrap" / "done").exists()
    force = ("-e", "MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP=yes")
    with started(docker, volume, OWN, *BOOTSTRAP, *force) as node:
        until(lambda: "Persisted data detected" in node.log().stderr, 60, "it restores")
        until(lambda: not node.runs or bool(node.says("pidof mysqld")), 60, "it goes on")
        assert "Starting mariadb in background" not in node.log().stderr


def test_a_bootstrap_over_data_needs_safe_to_bootstrap(docker: Engine, volume: Path) -> None:
    with serving(docker, volume) as node:
        ask(node, "create database kept")
        node.signal("TERM")
        node.ended()
    state = volume / "data" / "grastate.dat"
    state.write_text(state.read_text().replace("safe_to_bootstrap: 1", "safe_to_bootstrap: 0"))
    with started(docker, volume, OWN, *BOOTSTRAP) as node:
        assert node.ended() == 1
        assert "not safe to bootstrap" in node.log().stderr
    with serving(docker, volume, "-e", "MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP=yes") as node:
        assert "kept" in ask(node, "show databases").stdout.split()


def test_a_node_that_knows_of_others_makes_no_data(docker: Engine, volume: Path) -> None:
    with started(docker, volume, MY_CNF, *_OTHERS) as node:
        assert node.ended() != 0
    assert not (volume / "data" / "mysql").exists()
    assert (volume / ".bootstrap" / "done").exists()


@pytest.mark.parametrize("password", ["x" * 33, "back\\slash"])
def test_setup_refuses_passwords(docker: Engine, volume: Path, password: str) -> None:
    given = options(volume, OWN, *BOOTSTRAP, "-e", f"MARIADB_ROOT_PASSWORD={password}")
    done = docker.once(RECIPE, options=given)
    assert done.code == 1
    assert "ERROR" in done.stderr
    assert not (volume / "data").exists()


def test_log_lines_are_coloured_and_the_process_is_mysqld(docker: Engine, volume: Path) -> None:
    with serving(docker, volume) as node:
        log = node.log()
        assert log.stderr.startswith("\x1b[38;5;6mmariadb ")
        assert "\x1b" not in log.stdout
        assert "ready for connections" in log.stdout
        assert node.says("cat /proc/1/comm") == "mysqld\n"


def test_no_file_has_a_setuid_bit(docker: Engine) -> None:
    words = ("-c", "find / -xdev -perm /6000 -type f 2>/dev/null; true")
    assert docker.once(RECIPE, *words, options=("--entrypoint", "bash")).stdout == ""
