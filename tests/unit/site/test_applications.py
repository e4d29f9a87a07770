"""inventory/applications.yaml: what is read, what is refused with its line, and what an application may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.credentials import require_free, schema_with
from keybuzz.site.applications.described import Applications
from keybuzz.site.applications.parse import load_applications, parse_applications
from keybuzz.site.applications.services import offers
from keybuzz.site.applications.uses import endpoints_of, refusal, uses
from tasks.galera.service.offer import MariadbDatabase
from tasks.minio.service.offer import Bucket
from tasks.patroni.service.offer import PostgresDatabase
from tasks.redis.service.offer import RedisPart
from tests.unit.support.application_values import SHOPS, read
from tests.unit.support.inventory_files import INVENTORY, real_catalogue, real_servers


def refused(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_applications(text.encode(), "applications.yaml")
    return str(caught.value)


def read_or_refused(content: bytes) -> bool:
    """Return whether the file is read, or refused in words that name it; anything else is raised."""
    try:
        parse_applications(content, "applications.yaml")
    except InputError as error:
        return "applications.yaml" in str(error)
    return True


def one(body: str) -> str:
    return f"applications:\n  shop:\n    title: the shop\n{body}"


def test_what_is_described_is_read() -> None:
    shop, erp, queue = read(SHOPS).items
    assert shop.parts(PostgresDatabase)[0] == PostgresDatabase(
        "shop", "shop", ("vector",), pool=True, line=6
    )
    assert [(item.name, item.user) for item in shop.parts(PostgresDatabase)] == [
        ("shop", "shop"),
        ("shop_log", "shop"),
    ]
    assert shop.parts(RedisPart) == (RedisPart("shop:", line=4),)
    assert [bucket.name for bucket in shop.parts(Bucket)] == ["shop-files"]
    assert erp.parts(MariadbDatabase)[1] == MariadbDatabase("erp_beta", "erp_b", 50, line=15)
    assert queue.shared == {"postgres": "shared-pool"}
    assert queue.parts(RedisPart) == (RedisPart("3", line=21),)
    assert [part.database for part in queue.parts(RedisPart)] == [3]
    assert [part.prefix for part in shop.parts(RedisPart)] == ["shop:"]


def test_the_file_of_the_repository_describes_nothing_that_would_have_to_be_made() -> None:
    """A deployed fleet stays at 0 changes, frozen modules first of all (FRZ-1)."""
    found = load_applications(INVENTORY / "applications.yaml")
    names = {item.name for item in found.items}
    assert {
        "keybuzz-api",
        "keybuzz-ui",
        "chatwoot",
        "n8n",
        "workers",
        "superset",
        "erpnext",
    } <= names
    assert not [part for item in found.items for own in item.own.values() for part in own]
    assert schema_with(found) == schema_with(Applications())


def test_without_a_file_there_are_none() -> None:
    assert load_applications(None).items == ()
    assert parse_applications(b"applications: {}\n", "x").items == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "    postgress: shared\n",
            "yaml:4: application 'shop' has the unknown key 'postgress' → did you mean postgres?",
        ),
        ("    postgres: shard\n", "yaml:4: postgres is 'shard' → did you mean shared"),
        ("    mariadb: shared-pool\n", "yaml:4: mariadb is 'shared-pool' → did you mean shared?"),
        ("    buckets: shared\n", "yaml:4: buckets of shop must be a list"),
        ("    buckets: []\n", "yaml:4: buckets of shop is empty"),
        (
            "    postgres:\n      Shop: {}\n",
            "yaml:5: 'Shop' is not a valid PostgreSQL database name",
        ),
        (
            "    postgres:\n      shop: {extension: [vector]}\n",
            "yaml:5: 'shop' has the unknown key 'extension' → did you mean extensions?",
        ),
        (
            "    postgres:\n      shop: {extensions: [vectr]}\n",
            "yaml:5: extension 'vectr' is not in the image of PostgreSQL → did you mean vector?",
        ),
        ("    postgres:\n      shop: {pool: maybe}\n", "yaml:5: pool is 'maybe' → write yes or no"),
        (
            "    postgres:\n      shop: {connections: 0}\n",
            "yaml:5: connections is '0' → write a whole number from 1 to 1000",
        ),
        (
            "    postgres:\n      postgres: {}\n",
            "yaml:5: PostgreSQL database postgres is the platform's own",
        ),
        (
            "    postgres:\n      kb_app: {}\n",
            "yaml:5: PostgreSQL database kb_app is the platform's own",
        ),
        (
            "    mariadb:\n      erpnext: {}\n",
            "yaml:5: MariaDB database erpnext is the platform's own",
        ),
        (
            "    rabbitmq:\n      shop: {user: guest}\n",
            "yaml:5: RabbitMQ user guest is the platform's own",
        ),
        (
            "    redis: {database: 16}\n",
            "yaml:4: database is '16' → write a whole number from 1 to 15",
        ),
        (
            "    redis: {database: 0}\n",
            "yaml:4: database is '0' → write a whole number from 1 to 15",
        ),
        ("    redis: {prefix: shop}\n", "yaml:4: prefix 'shop' is not a prefix of keys"),
        ("    redis: {}\n", "yaml:4: redis of shop needs one of database and prefix"),
        (
            '    redis: {database: 1, prefix: "shop:"}\n',
            "yaml:4: redis of shop needs one of database and prefix",
        ),
        ("    postgres:\n      '': {}\n", "yaml:5: '' is not a valid PostgreSQL database name"),
        (
            "    postgres:\n      pgbouncer: {}\n",
            "yaml:5: PostgreSQL database pgbouncer is the platform's own",
        ),
        ("    buckets: [a]\n", "yaml:4: 'a' is not a valid bucket name"),
        (
            "    rabbitmq:\n      a-b: {user: one}\n      a_b: {user: two}\n",
            "yaml:6: vhost a_b and a-b (line 5) give the same variables",
        ),
        ("    buckets: [files, files]\n", "yaml:4: bucket files is there twice"),
        ("    postgres: {}\n", "yaml:4: shop describes nothing here"),
        (
            "    postgres:\n      shop: {}\n  other:\n    title: other\n    postgres:\n      shop: {}\n",
            "yaml:9: PostgreSQL database shop belongs to application shop (line 5) → give each application its own",
        ),
        (
            "    postgres:\n      shop: {}\n  other:\n    title: other\n    postgres:\n      log: {user: shop}\n",
            "yaml:9: PostgreSQL user shop belongs to application shop (line 5)",
        ),
        (
            "    redis: {database: 2}\n  other:\n    title: other\n    redis: {database: 2}\n",
            "yaml:7: Redis database 2 belongs to application shop (line 4)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(body: str, said: str) -> None:
    assert said in refused(one(body))


def test_all_problems_are_told_at_once() -> None:
    text = one("    redis: shred\n    buckets: [x]\n")
    assert len(refused(text).splitlines()) == 2


def test_a_name_that_looks_like_it_is_offered() -> None:
    with pytest.raises(InputError, match="did you mean erp"):
        read(SHOPS).named("epr")


def test_a_name_that_the_store_gives_to_the_platform_is_refused() -> None:
    found = read(SHOPS)
    with pytest.raises(InputError, match="yaml:14: erp_acme is the platform's own"):
        require_free(found, {"MARIADB_APP_USER": Secret("MARIADB_APP_USER", "erp_acme")})
    require_free(found, {"MARIADB_APP_USER": Secret("MARIADB_APP_USER", "erpnext")})


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    assert read_or_refused(text.encode("utf-8", "surrogatepass"))


_LEAVES = st.sampled_from(["shared", "shop", "{}", "yes", "3", "[a, b]", "{user: x}", "~", "'a:'"])


@given(
    st.dictionaries(st.sampled_from([offer.key for offer in offers()]), _LEAVES),
    st.dictionaries(st.sampled_from(["shop", "x_1", "-", "A"]), _LEAVES),
)
def test_any_shape_is_read_or_refused_in_words(top: dict[str, str], inside: dict[str, str]) -> None:
    lines = [f"    {key}: {value}\n" for key, value in top.items()]
    if inside and "postgres" not in top:
        lines += ["    postgres:\n", *(f"      {key}: {value}\n" for key, value in inside.items())]
    assert read_or_refused(one("".join(lines)).encode())


class TestUses:
    def all(self, name: str) -> dict[str, tuple[str, ...]]:
        endpoints = endpoints_of(real_servers(), real_catalogue())
        return {
            str(use.endpoint): ("shared",) if use.shared else use.places
            for use in uses(read(SHOPS).named(name), endpoints)
        }

    def test_only_official_endpoints_and_what_is_its_own_there(self) -> None:
        assert self.all("shop") == {
            "10.0.0.10:5432": ("shop", "shop_log"),
            "10.0.0.10:6432": ("shop",),
            "10.0.0.10:6379": ("shop:",),
            "10.0.0.134:9000": ("shop-files",),
        }

    def test_each_site_of_erpnext(self) -> None:
        assert self.all("erp") == {"10.0.0.20:3306": ("erp_acme", "erp_beta")}

    def test_the_platforms_account_through_the_pool_where_it_is_said(self) -> None:
        assert self.all("queue") == {
            "10.0.0.10:5432": ("shared",),
            "10.0.0.10:6432": ("shared",),
            "10.0.0.10:5672": ("queue",),
            "10.0.0.10:6379": ("3",),
        }


class TestRefusal:
    def said(self, name: str, port: int) -> str:
        endpoints = endpoints_of(real_servers(), real_catalogue())
        return refusal(read(SHOPS).named(name), endpoints, port)

    def test_what_is_described_is_free(self) -> None:
        assert self.said("shop", 5432) == self.said("shop", 6432) == ""
        assert self.said("erp", 3306) == ""
        assert self.said("queue", 5672) == ""

    def test_what_is_not_described_is_refused_with_the_reason(self) -> None:
        assert self.said("erp", 5432) == "erp is described without postgres"
        assert self.said("shop", 5672) == "shop is described without rabbitmq"
        without = SHOPS.replace("{pool: yes, extensions: [vector]}", "{}")
        endpoints = endpoints_of(real_servers(), real_catalogue())
        assert "without the pool" in refusal(read(without).named("shop"), endpoints, 6432)

    def test_another_port_is_no_endpoint_of_ours_to_judge(self) -> None:
        assert self.said("erp", 443) == ""


def test_a_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can ?not be read"):
        load_applications(tmp_path)


@pytest.mark.parametrize("title", ['"x\\nEVIL=1"', '"\\x1b[31m"', '"a\\u202eb"', "x" * 101])
def test_a_title_is_one_printable_line(title: str) -> None:
    said = refused(f"applications:\n  shop:\n    title: {title}\n    postgres: shared\n")
    assert "yaml:3: title of application 'shop' is" in said
    assert "\x1b" not in said
