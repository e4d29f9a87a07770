"""Sites for tests: the real inventory with planted credentials, and any other valid fleet (Hypothesis)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path
from string import ascii_lowercase, digits

from hypothesis import strategies as st
from nornir.core import Nornir

from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.nornir import make_nornir
from keybuzz.model.core.access import Access
from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.credentials.schema import schema
from keybuzz.site.credentials.store import create_missing
from keybuzz.site.files.plugins import RunnerChoice
from keybuzz.site.files.tsv import NEEDED, parse_servers
from keybuzz.site.load import Configuration, load_site, read_configuration
from keybuzz.site.module import Module
from keybuzz.site.settings import load_settings
from keybuzz.site.site import Binary, Site
from keybuzz.site.versions import parse_versions
from tests.unit.support.inventory_files import (
    GROUPS,
    INVENTORY,
    SERVERS,
    real_catalogue,
    real_servers,
)

PLANTED = "PlantedNeedle"
"""Stands in every planted secret, so that a test can look for it in what people see."""
NAMES = tuple(credential.name for credential in schema() if credential.default)
PASSWORDS = tuple(credential.name for credential in schema() if not credential.default)
SIZES = (
    "patroni.shared_buffers",
    "patroni.effective_cache_size",
    "patroni.maintenance_work_mem",
    "patroni.wal_buffers",
    "patroni.work_mem",
    "patroni.min_wal_size",
    "patroni.max_wal_size",
    "patroni.wal_keep_size",
)


def planted(name: str) -> str:
    """Return the planted value of a secret; MariaDB's image takes no more than 32 characters."""
    short = name.removeprefix("MARIADB_").replace("PASSWORD", "PASS")
    return f"{PLANTED}-{short if name.startswith('MARIADB') else name}-1234"


def configuration_text(folder: Path) -> str:
    """Return a nornir_config.yaml over the real inventory, with state and credentials in `folder`."""
    return f"""inventory:
  plugin: kbz_tsv
  options: {{path: {SERVERS}, groups: {GROUPS}, connection: kbz_local}}
runner:
  plugin: kbz_bounded
  options: {{num_workers: 8}}
user_defined:
  versions: {INVENTORY / "versions.yaml"}
  site: {INVENTORY / "site.yaml"}
  overlay: {folder / "overlay.yaml"}
  policies: {INVENTORY / "policies.yaml"}
"""


def planted_configuration(folder: Path) -> Configuration:
    """Write a whole site into a folder: the real files, and credentials that hold PLANTED."""
    overlay = f"paths:\n  state: {folder / 'state'}\n  credentials: {folder / 'credentials'}\n"
    (folder / "overlay.yaml").write_text(overlay, encoding="utf-8")
    (folder / "nornir_config.yaml").write_text(configuration_text(folder), encoding="utf-8")
    create_missing(folder / "credentials")
    for path in (folder / "credentials").iterdir():
        names = "|".join(PASSWORDS)
        text = re.sub(
            rf"(?m)^({names})=.*$",
            lambda match: f"{match[1]}={planted(match[1])}",
            path.read_text(),
        )
        path.write_text(text, encoding="utf-8")
    return read_configuration(folder / "nornir_config.yaml")


def planted_site(folder: Path) -> Site:
    """Return the site of `planted_configuration`."""
    return load_site(planted_configuration(folder))


@lru_cache(maxsize=1)
def memory_site() -> Site:
    """Return the real site with fixed credentials, without any folder of its own."""
    root = INVENTORY.parent
    credentials = {item.name: item.default or planted(item.name) for item in schema()}
    versions = INVENTORY / "versions.yaml"
    return Site(
        root=root,
        servers=real_servers(),
        catalogue=real_catalogue(),
        versions=parse_versions(versions.read_bytes(), "versions.yaml"),
        binaries={
            "k3s": Binary("k3s", "v1.33.5+k3s1", f"sha256:{'3' * 64}", 1),
            "mc": Binary("mc", "RELEASE.2024-10-02T08-27-28Z", f"sha256:{'5' * 64}", 2),
        },
        settings=load_settings(root, INVENTORY / "site.yaml", None),
        credentials={name: Secret(name, value) for name, value in credentials.items()},
        digest_key=DigestKey(b"k" * 32),
    )


def with_secrets(site: Site, values: Mapping[str, str]) -> Site:
    """Return the site with some credentials replaced."""
    secrets = {name: Secret(name, value) for name, value in values.items()}
    return replace(site, credentials={**site.credentials, **secrets})


def with_parameters(site: Site, values: Mapping[str, str]) -> Site:
    """Return the site with some parameters of site.yaml replaced."""
    parameters = {**site.settings.parameters, **values}
    return replace(site, settings=replace(site.settings, parameters=parameters))


def memory_nornir(site: Site) -> Nornir:
    """Return Nornir with every server of the repository's inventory; nobody is asked by making it."""
    configuration = Configuration(
        path=Path("nornir_config.yaml"),
        servers=SERVERS,
        groups=GROUPS,
        versions=INVENTORY / "versions.yaml",
        site=INVENTORY / "site.yaml",
        policies=INVENTORY / "policies.yaml",
        overlay=None,
        connection="kbz_local",
        bastion="",
        runner=RunnerChoice("kbz_bounded", {"num_workers": 2}),
    )
    return make_nornir(configuration, site, Access.CHANGE)


def described(site: Site, module: Module) -> dict[str, HostDescription]:
    """Describe and render one module on all its hosts, through Nornir as every verb does."""
    nornir = memory_nornir(site)
    members = {server.name for server in site.members(module.group)}
    return describe_all(nornir.filter(filter_func=lambda host: host.name in members), (module,))


@dataclass(frozen=True, slots=True)
class Row:
    """What a generated server has of its own; the rest of its row follows from it."""

    name: str
    address: IPv4Address
    role: str
    subrole: str
    stack: str

    def cells(self, number: int) -> dict[str, str]:
        """Return the row of servers.tsv."""
        return {
            "ENV": "prod",
            "IP_PUBLIQUE": str(IPv4Address("198.18.0.1") + number),
            "HOSTNAME": self.name,
            "IP_PRIVEE": str(self.address),
            "FQDN": f"{self.name}.example.org",
            "USER_SSH": "root",
            "POOL": "pool",
            "ROLE": self.role,
            "SUBROLE": self.subrole,
            "DOCKER_STACK": self.stack,
            "CORE": "yes",
            "NOTES": "",
        }


def fleet_of(rows: tuple[Row, ...]) -> tuple[tuple[Server, ...], GroupCatalogue]:
    """Return the rows as the product reads them: through a servers.tsv whose groups have these sizes."""
    lines = ["\t".join(NEEDED)]
    for number, row in enumerate(rows):
        cells = row.cells(number)
        lines.append("\t".join(cells[column] for column in NEEDED))
    catalogue = replace(real_catalogue(), host_aliases=())
    groups = tuple(replace(group, expected=_size(group.select, rows)) for group in catalogue.groups)
    catalogue = replace(catalogue, groups=groups)
    return parse_servers("\n".join(lines).encode(), "servers.tsv", catalogue), catalogue


def _size(select: tuple[tuple[str, str], ...], rows: tuple[Row, ...]) -> int:
    cells = [row.cells(0) for row in rows]
    return sum(all(row[column] == value for column, value in select) for row in cells)


def _is_free(address: IPv4Address) -> bool:
    catalogue = real_catalogue_once()
    return catalogue.virtual(address) is None


@lru_cache(maxsize=1)
def real_catalogue_once() -> GroupCatalogue:
    """Return the catalogue of inventory/groups.yaml, read once."""
    return real_catalogue()


_PATRONI = ("db", "postgres", "patroni-node")
_OTHERS = (
    ("redis", "master", "redis-ha-docker"),
    ("queue", "rabbitmq", "rabbitmq-ha-docker"),
    ("db", "postgres", "temporal-db-docker"),
    ("db", "mariadb", "mariadb-galera-docker"),
    ("lb", "internal-haproxy", "haproxy-docker"),
    ("orchestrator", "base", "no-docker-or-light"),
)
_ALNUM = ascii_lowercase + digits
server_names = st.builds(
    "{}{}{}".format,
    st.sampled_from(ascii_lowercase),
    st.text(_ALNUM, max_size=8),
    st.just("") | st.text(_ALNUM, min_size=1, max_size=6).map("-{}".format),
).filter(
    lambda name: (
        name != "localhost"
        and real_catalogue_once().find(name) is None
        and real_catalogue_once().exclusion(name) is None
        and real_catalogue_once().host_of(name) is None
        and all(name != entry.name for entry in real_catalogue_once().virtual_addresses)
    )
)
"""Names that servers.tsv takes."""
addresses = (
    st.integers(2, 65_534).map(lambda number: IPv4Address("10.0.0.0") + number).filter(_is_free)
)
"""Private addresses that servers.tsv takes: no network, gateway, broadcast or load balancer."""


@st.composite
def fleets(draw: st.DrawFn) -> tuple[tuple[Server, ...], GroupCatalogue]:
    """Return any valid inventory with 1 to 7 Patroni members among other servers."""
    size = draw(st.integers(1, 7))
    others = draw(st.lists(st.sampled_from(_OTHERS), max_size=4))
    kinds = draw(st.permutations([_PATRONI] * size + others))
    names = draw(st.lists(server_names, min_size=len(kinds), max_size=len(kinds), unique=True))
    places = draw(st.lists(addresses, min_size=len(kinds), max_size=len(kinds), unique=True))
    found = zip(names, places, kinds, strict=True)
    return fleet_of(tuple(Row(name, place, *kind) for name, place, kind in found))


identifiers = st.builds(
    "{}{}".format, st.sampled_from(f"{ascii_lowercase}_"), st.text(f"{_ALNUM}_-", max_size=20)
)
"""Names of roles, databases and clusters that the credential store takes."""
_HOSTILE = st.sampled_from(
    [
        *"'\"`$\\#:{}[]&*!|>%@,-? ~\u00e9\u4e2d\U0001f511",
        "{{ 7*7 }}",
        "{% raw %}",
        "$(reboot)",
        ": ",
        " #",
        "null",
        "None",
        "yes",
        "\\u0041",
        "\\n",
        "&anchor",
        "---",
    ]
)
_LETTERS = st.characters(min_codepoint=32, exclude_categories=["Cs"]).filter(str.isprintable)
hostile_secrets = st.lists(st.one_of(_HOSTILE, _LETTERS), max_size=12).map(
    lambda parts: f"{''.join(parts[:6])}{PLANTED}1234{''.join(parts[6:])}"
)
"""Secrets that the store takes, full of what shells, YAML, Jinja and SQL give a meaning to."""
lawless_secrets = st.lists(st.one_of(_HOSTILE, st.characters(exclude_categories=["Cs"]))).map(
    lambda parts: f"{PLANTED}{''.join(parts)}"
)
"""The same with control characters and line breaks, which the store refuses, and no file may be hurt by."""
_size_texts = st.builds(
    "{}{}".format, st.integers(1, 65_536), st.sampled_from(["kB", "MB", "GB", "TB"])
)


@st.composite
def parameter_values(draw: st.DrawFn) -> dict[str, str]:
    """Return any sizes for PostgreSQL."""
    values = {name: draw(_size_texts) for name in SIZES}
    values["patroni.max_connections"] = str(draw(st.integers(10, 10_000)))
    values["patroni.preload_libraries"] = draw(
        st.sampled_from(["none", "pg_stat_statements", "pg_stat_statements,auto_explain"])
    )
    return values


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Return any valid site: fleet, sizes, names and hostile passwords, no two of them the same."""
    servers, catalogue = draw(fleets())
    site = replace(memory_site(), servers=servers, catalogue=catalogue)
    drawn = [
        draw(hostile_secrets) for _ in range(3)
    ]  # one for each password takes a tenth of a second
    secrets = {
        name: drawn[number % 3].replace(f"{PLANTED}1234", f"{PLANTED}{1000 + number}")
        for number, name in enumerate(PASSWORDS)
    }
    secrets |= {name: draw(identifiers) for name in NAMES}
    return with_secrets(with_parameters(site, draw(parameter_values())), secrets)
