"""inventory/policies.yaml: what is frozen, what is waived, and bad input with file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.site.load import load_site, read_configuration
from keybuzz.site.policies import Policies, Waiver, parse_policies
from tests.unit.support.inventory_files import INVENTORY, real_catalogue
from tests.unit.support.site_values import planted_configuration

GROUPS = ("redis", "rabbitmq", "minio", "galera", "patroni")
WAIVER = """freeze: [redis]
waivers:
  - rule: EP-1
    path: shop/*
    reason: until the client can follow the load balancer
    until: 2026-03-31
"""


def read(text: str) -> Policies:
    return parse_policies(text.encode(), "policies.yaml", GROUPS)


def test_the_real_file_freezes_modules_4_to_7() -> None:
    groups = {group.name: group.module for group in real_catalogue().groups}
    found = parse_policies((INVENTORY / "policies.yaml").read_bytes(), "policies.yaml", groups)
    assert sorted(groups[name] for name in found.freeze) == [4, 5, 6, 7]


def test_a_waiver_has_all_its_parts() -> None:
    reason = "until the client can follow the load balancer"
    assert read(WAIVER) == Policies(
        freeze=("redis",),
        waivers=(Waiver("EP-1", "shop/*", reason, date(2026, 3, 31), 3),),
        source="policies.yaml",
    )


def test_nothing_frozen_and_nothing_waived_is_said_and_not_left_out() -> None:
    assert read("freeze: []\nwaivers: []\n") == Policies()
    with pytest.raises(InputError, match="has no freeze"):
        read("waivers: []\n")


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("[redis]", "[reddis]", 1, "did you mean redis"),
        ("[redis]", "[redis, redis]", 1, "redis twice"),
        ("[redis]", "redis", 1, "must be a list"),
        ("rule: EP-1", "rule: ep-1", 3, "no rule's id"),
        ("rule: EP-1", "rules: EP-1", 3, "unknown key 'rules'"),
        ("path: shop/*", "path: '**'", 4, "everywhere"),
        ("path: shop/*", "path: ''", 4, "path must be a text"),
        ("until the client can follow the load balancer", "because", 5, "explains nothing"),
        ("2026-03-31", "2026-02-30", 6, "no day"),
        ("2026-03-31", "soon", 6, "no day"),
        ("    until: 2026-03-31\n", "", 3, "a waiver has no until"),
        ("waivers:", "waiver:", 2, "unknown key 'waiver'"),
    ],
)
def test_what_is_wrong_has_its_line(old: str, new: str, line: int, what: str) -> None:
    assert old in WAIVER
    with pytest.raises(InputError) as caught:
        read(WAIVER.replace(old, new))
    assert f"policies.yaml:{line}: " in str(caught.value)
    assert what in str(caught.value)


def test_a_site_has_its_policies_and_can_not_forget_them(tmp_path: Path) -> None:
    configuration = planted_configuration(tmp_path)
    assert load_site(configuration).policies.freeze == ("redis", "rabbitmq", "minio", "galera")
    text = configuration.path.read_text()
    line = next(line for line in text.splitlines(keepends=True) if line.startswith("  policies:"))
    configuration.path.write_text(text.replace(line, ""))
    with pytest.raises(InputError, match="user_defined has no policies"):
        read_configuration(configuration.path)
