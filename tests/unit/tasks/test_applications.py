"""What the modules describe for applications, and that they describe nothing else without any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.content import Content
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.site.applications.parse import load_applications
from keybuzz.site.module import Module
from keybuzz.site.site import Site
from tasks.galera.service.resources import MysqlDatabase, MysqlUser
from tasks.minio.service.resources import MinioBucket, MinioUser
from tasks.patroni.service.resources import Database, Extension, Role
from tasks.proxysql.service.resources import ProxysqlTables
from tasks.rabbitmq.service.accounts import RabbitmqAccount, RabbitmqVhost
from tests.unit.support.application_values import with_applications
from tests.unit.support.inventory_files import INVENTORY
from tests.unit.support.site_values import PLANTED, described, memory_site

MODULES = {module.name: module for module in all_modules()}


def of(name: str, site: Site) -> HostDescription:
    return next(iter(described(site, MODULES[name]).values()))


def inside(name: str, site: Site) -> tuple[Resource, ...]:
    return of(name, site).modules[name].cluster


def text_of(name: str, path: str, site: Site) -> str:
    for resource in of(name, site).modules[name].resources:
        if isinstance(resource, File) and resource.path.endswith(path):
            assert isinstance(resource.content, Content)
            return resource.content.reveal()
    raise LookupError(path)


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)
def test_the_file_of_the_repository_changes_no_description(module: Module) -> None:
    """What is deployed stays at 0 changes: the modules describe, byte for byte, what they do without the file."""
    site = memory_site()
    with_file = replace(site, applications=load_applications(INVENTORY / "applications.yaml"))
    assert described(with_file, module) == described(site, module)


def test_patroni_has_roles_databases_and_extensions() -> None:
    found = [r for r in inside("patroni", with_applications()) if r.application]
    roles = [r for r in found if isinstance(r, Role)]
    assert [r.identity for r in found] == [
        "postgres-role:shop",
        "postgres-database:shop",
        "postgres-database:shop_log",
        "postgres-extension:shop/vector",
    ]
    assert not roles[0].superuser
    assert all(isinstance(r, Role | Database | Extension) for r in found)
    assert {r.application for r in found} == {"shop"}
    assert all(r.private for r in found if isinstance(r, Database))


def test_only_what_may_use_the_pool_is_in_it() -> None:
    site = with_applications()
    ini = text_of("postgres-proxy", "pgbouncer.ini", site)
    assert "\nshop = host=127.0.0.1 port=5432 dbname=shop " in ini
    assert "shop_log" not in ini
    users = text_of("postgres-proxy", "userlist.txt", site).splitlines()
    assert [line.split('"')[1] for line in users] == ["kb_app", "shop"]


def test_galera_has_a_database_and_a_user_for_each_site() -> None:
    found = [r for r in inside("galera", with_applications()) if r.application]
    users = {r.user: r for r in found if isinstance(r, MysqlUser)}
    assert [r.identity for r in found if isinstance(r, MysqlDatabase)] == [
        "mysql-database:erp_acme",
        "mysql-database:erp_beta",
    ]
    assert users["erp_acme"].grants == (("ALL PRIVILEGES", "erp_acme.*"),)
    assert users["erp_b"].grants == (("ALL PRIVILEGES", "erp_beta.*"),)


def test_each_site_has_its_row_in_proxysql() -> None:
    for host in described(with_applications(), MODULES["proxysql"]).values():
        resources = host.modules["proxysql"].resources
        table = next(
            r for r in resources if isinstance(r, ProxysqlTables) and r.group == "MYSQL USERS"
        ).tables[0]
        rows = [dict(row) for row in table.rows]
        assert [row["username"] for row in rows] == ["erpnext", "erp_acme", "erp_b"]
        assert [row["max_connections"] for row in rows] == ["100", "100", "50"]


def test_rabbitmq_has_a_vhost_and_a_user_without_a_tag() -> None:
    found = [r for r in inside("rabbitmq", with_applications()) if r.application]
    vhost, user = found
    assert isinstance(vhost, RabbitmqVhost)
    assert vhost.vhost == "queue"
    assert isinstance(user, RabbitmqAccount)
    assert (user.user, user.vhosts) == ("worker", ("queue",))
    assert user.wanted(memory_site().digest_key)["tags"] == ()


def test_minio_has_buckets_that_need_not_keep_versions_and_a_user_for_them() -> None:
    bucket, user = [r for r in inside("minio", with_applications()) if r.application]
    assert isinstance(user, MinioUser)
    assert (user.user, user.policy, user.buckets) == ("shop", "shop-buckets", ("shop-files",))
    assert isinstance(bucket, MinioBucket)
    assert bucket.bucket == "shop-files"
    assert bucket.wanted(memory_site().digest_key) == {}


def test_no_description_shows_a_password() -> None:
    for module in MODULES.values():
        assert PLANTED not in repr(described(with_applications(), module))


def test_each_account_can_be_rotated_by_its_name() -> None:
    site = with_applications()
    found = {r.service: r for m in MODULES.values() for r in m.account_rotations(site)}
    assert set(found) == {
        "postgres-user-shop",
        "mariadb-user-erp_acme",
        "mariadb-user-erp_b",
        "rabbitmq-user-worker",
        "minio-user-shop",
    }
    assert not found["minio-user-shop"].keeps_old
    assert found["postgres-user-shop"].followers == ("postgres-proxy",)
    assert found["mariadb-user-erp_b"].followers == ("proxysql",)
    assert found["mariadb-user-erp_b"].keeps_old
    assert not [r for m in MODULES.values() for r in m.account_rotations(memory_site())]


class TestUndescribed:
    """What members say is there, and no file describes."""

    def strays(self, module: str, reading: str, value: object) -> dict[str, str] | None:
        found = MODULES[module].inside
        assert found is not None
        result = found.undescribed(with_applications(), {reading: Answer(reading, value)})
        return None if result is None else dict(result)

    def test_postgres(self) -> None:
        said = (
            '{"role": {"kb_admin": "superuser", "kb_repl": "role", "kb_rewind": "role", "kb_app": "role", '
            '"shop": "role", "bob": "superuser"}, '
            '"database": {"postgres": "x", "keybuzz": "x", "shop": "x", "old": "y"}}'
        )
        answer = {"exit_code": 0, "stdout": said, "stderr": ""}
        assert self.strays("patroni", "patroni.inside", answer) == {
            "role:bob": "superuser",
            "database:old": "y",
        }
        assert self.strays("patroni", "patroni.inside", {**answer, "exit_code": 2}) is None
        assert self.strays("patroni", "patroni.inside", {**answer, "stdout": "no"}) is None
        assert self.strays("patroni", "patroni.inside", {**answer, "stdout": "[1]"}) is None

    def test_mariadb(self) -> None:
        rows = {
            "SELECT User, Host FROM mysql.global_priv": [
                ["root", "%"],
                ["erpnext", "%"],
                ["erp_b", "%"],
                ["erp_b", "10.0.0.9"],
                ["bob", "%"],
            ],
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA": [
                ["mysql"],
                ["erp_acme"],
                ["old"],
            ],
        }
        assert self.strays("galera", "galera.inside", {"denied": "", "rows": rows}) == {
            "user:erp_b@10.0.0.9": "user of MariaDB",
            "user:bob@%": "user of MariaDB",
            "database:old": "database",
        }
        assert self.strays("galera", "galera.inside", {"denied": "no", "rows": {}}) is None

    def test_proxysql(self) -> None:
        layers = ("main.mysql_users", "disk.mysql_users", "main.runtime_mysql_users")
        rows = {f"SELECT DISTINCT username FROM {place}": [["erpnext"]] for place in layers}
        rows["SELECT DISTINCT username FROM disk.mysql_users"].append(["erp_old"])
        assert self.strays("proxysql", "proxysql.inside", {"denied": "", "rows": rows}) == {
            "user:erp_old": "user of ProxySQL (disk)"
        }

    def test_rabbitmq(self) -> None:
        users = {"kb_rmq": ["administrator"], "worker": [], "admin": ["administrator"], "guest": []}
        rules = {"policy:cap in /": "policy for .*: {}"}
        answer = {"users": users, "vhosts": ["/", "queue", "old"], "rules": rules}
        assert self.strays("rabbitmq", "rabbitmq.inside", answer) == {
            **rules,
            "user:admin": "user of RabbitMQ, administrator",
            "vhost:old": "vhost",
        }

    def test_minio(self) -> None:
        buckets = ["keybuzz-backups", "shop-files", "old"]
        answer = {"buckets": buckets, "users": ["shop", "bob"]}
        assert self.strays("minio", "minio.inside", answer) == {
            "bucket:old": "bucket",
            "user:bob": "user of MinIO",
        }

    @given(
        st.recursive(
            st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=3)
        )
    )
    def test_rows_of_any_content_are_no_reason_to_fall_over(self, rows: object) -> None:
        found = rows if isinstance(rows, list) else []
        rows_of = [row for row in found if isinstance(row, list)]
        users = "SELECT User, Host FROM mysql.global_priv"
        databases = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"
        answer = {"denied": "", "rows": {users: rows_of, databases: rows_of}}
        assert self.strays("galera", "galera.inside", answer) is not None
        layers = ("main.mysql_users", "disk.mysql_users", "main.runtime_mysql_users")
        places = {f"SELECT DISTINCT username FROM {place}": rows_of for place in layers}
        assert (
            self.strays("proxysql", "proxysql.inside", {"denied": "", "rows": places}) is not None
        )

    @given(st.text() | st.sampled_from(["[" * 5000, '{"role": 1, "database": []}', "null"]))
    def test_a_catalogue_of_any_content_is_no_reason_to_fall_over(self, text: str) -> None:
        answer = {"exit_code": 0, "stdout": text, "stderr": ""}
        assert self.strays("patroni", "patroni.inside", answer) is None
