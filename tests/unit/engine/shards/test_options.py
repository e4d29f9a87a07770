"""The options of `kbz_sharded`: what may be left out, and the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.shards import BackEnd, Pool, Relay, ShardOptions, Tls
from keybuzz.site.load import read_configuration
from tests.unit.support.site_values import configuration_text

BOUNDED = "  plugin: kbz_bounded\n  options: {num_workers: 8}\n"
RELAYS = """\
  plugin: kbz_sharded
  options:
    back_end: relay
    num_workers: 20
    shard_size: 40
    relays:
      fsn1: {address: 10.0.0.9, python: /opt/kbz/bin/python, config: /opt/kbz/nornir_config.yaml}
      hel1:
        address: relay-hel1
        user: kbz
        port: 2222
        python: /opt/kbz/bin/python
        config: /etc/kbz/nornir_config.yaml
"""
POOL = """\
  plugin: kbz_sharded
  options:
    back_end: dask
    num_workers: 20
    pool:
      address: 10.0.0.9:8786
      regions: [fsn1, hel1]
      ca: /etc/kbz/pool/ca.pem
      cert: /etc/kbz/pool/controller.pem
      key: /etc/kbz/pool/controller.key
"""


def read(folder: Path, section: str) -> ShardOptions | None:
    """Return the options that a runner's section has."""
    text = configuration_text(folder).replace(BOUNDED, section)
    assert section in text
    (folder / "nornir_config.yaml").write_text(text)
    return read_configuration(folder / "nornir_config.yaml").runner.sharded


def test_a_process_needs_two_options(tmp_path: Path) -> None:
    section = "  plugin: kbz_sharded\n  options: {back_end: process, num_workers: 8}\n"
    assert read(tmp_path, section) == ShardOptions(BackEnd.PROCESS, 8, 50, 2, 300)


def test_every_option_is_kept(tmp_path: Path) -> None:
    config = "/opt/kbz/nornir_config.yaml"
    assert read(tmp_path, RELAYS) == ShardOptions(
        BackEnd.RELAY,
        20,
        40,
        relays={
            "fsn1": Relay("fsn1", "10.0.0.9", "/opt/kbz/bin/python", config),
            "hel1": Relay(
                "hel1",
                "relay-hel1",
                "/opt/kbz/bin/python",
                "/etc/kbz/nornir_config.yaml",
                "kbz",
                2222,
            ),
        },
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("back_end: relay", "back_end: realy", 7, "did you mean relay"),
        ("back_end: relay", "backend: relay", 7, "unknown key 'backend'"),
        ("num_workers: 20", "num_workers: 0", 8, "from 1 to 500"),
        ("shard_size: 40", "shard_size: many", 9, "from 1 to 500"),
        ("shard_size: 40", "shards: 65", 9, "from 1 to 64"),
        ("shard_size: 40", "deadline: 0", 9, "from 1 to 3600"),
        ("user: kbz", "login: kbz", 14, "unknown key 'login'"),
        ("port: 2222", "port: 99999", 15, "from 1 to 65535"),
        ("address: relay-hel1", "address: -oProxyCommand=x", 13, "letters, digits"),
        ("address: relay-hel1", 'address: "a b"', 13, "letters, digits"),
        (
            "python: /opt/kbz/bin/python\n        config",
            "python: python3\n        config",
            16,
            "no absolute path",
        ),
        ("back_end: relay", "back_end: process", 11, "relays are given, and back_end is process"),
        ("    relays:\n", "    relay:\n", 10, "unknown key 'relay'"),
    ],
)
def test_what_is_wrong_has_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, RELAYS.replace(old, new, 1))
    (found,) = [one for one in str(caught.value).splitlines() if what in one]
    assert found.startswith(f"{tmp_path}/nornir_config.yaml:{line}: ")


def test_a_pool_has_its_scheduler_and_its_certificate(tmp_path: Path) -> None:
    files = [
        Path("/etc/kbz/pool") / name for name in ("ca.pem", "controller.pem", "controller.key")
    ]
    pool = Pool("10.0.0.9:8786", ("fsn1", "hel1"), Tls(*files))
    assert read(tmp_path, POOL) == ShardOptions(BackEnd.DASK, 20, pool=pool)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("      key: /etc/kbz/pool/controller.key\n", "", 10, "pool has no key"),
        ("      ca: /etc/kbz/pool/ca.pem\n", "", 10, "pool has no ca"),
        ("ca: /etc/kbz/pool/ca.pem", "ca: ca.pem", 12, "no absolute path"),
        ("10.0.0.9:8786", "tcp://10.0.0.9:8786", 10, "always reached over TLS"),
        ("10.0.0.9:8786", "10.0.0.9", 10, "write HOST:PORT"),
        ("[fsn1, hel1]", "[]", 11, "pool.regions is empty"),
        ("back_end: dask", "back_end: process", 10, "pool is given, and back_end is process"),
    ],
)
def test_a_pool_without_tls_is_an_error_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    assert old in POOL
    with pytest.raises(InputError) as caught:
        read(tmp_path, POOL.replace(old, new, 1))
    (found,) = [one for one in str(caught.value).splitlines() if what in one]
    assert found.startswith(f"{tmp_path}/nornir_config.yaml:{line}: ")


@pytest.mark.parametrize(
    ("section", "line", "what"),
    [
        ("  plugin: kbz_sharded\n", 5, "runner has no options"),
        ("  plugin: kbz_sharded\n  options: {num_workers: 8}\n", 6, "has no back_end"),
        (
            "  plugin: kbz_sharded\n  options: {back_end: relay, num_workers: 8}\n",
            6,
            "there are no relays",
        ),
        (
            "  plugin: kbz_sharded\n  options: {back_end: dask, num_workers: 8}\n",
            6,
            "there is no pool",
        ),
    ],
)
def test_what_is_missing_has_its_line(tmp_path: Path, section: str, line: int, what: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, section)
    assert f"nornir_config.yaml:{line}: " in str(caught.value)
    assert what in str(caught.value)
