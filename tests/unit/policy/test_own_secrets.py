"""`kbz inventory` finds what must not be in the site's own files, and its own inventory is clean."""

from __future__ import annotations

import json
from pathlib import Path

from keybuzz.model.core.outcome import ExitCode
from tests.unit.policy.test_policy_command import kbz, site
from tests.unit.support.inventory_files import SERVERS

__all__ = ["site"]
SECRET = "q8Zr2LwT0xVn"


def test_the_inventory_of_this_repository_has_no_secret(site: Path, tmp_path: Path) -> None:
    code, out, _ = kbz(tmp_path, "--config", str(site), "inventory", "--format", "json")
    assert code == ExitCode.GOOD
    document = json.loads(out)
    assert document["secrets"] == []
    assert document["secrets_unchecked"] == ""


def test_a_password_in_the_notes_of_a_server_is_told_and_not_shown(
    site: Path, tmp_path: Path
) -> None:
    lines = SERVERS.read_text(encoding="utf-8").split("\n")
    number = next(n for n, row in enumerate(lines) if "\tredis-01\t" in row)
    lines[number] += f"root password: {SECRET}"
    servers = tmp_path / "servers.tsv"
    servers.write_text("\n".join(lines), encoding="utf-8")
    site.write_text(site.read_text().replace(str(SERVERS), str(servers)))
    code, out, _ = kbz(tmp_path, "--config", str(site), "inventory")
    assert code == ExitCode.REFUSED
    assert f"servers.tsv:{number + 1}: SEC-2: tells a password or a token" in out
    assert SECRET not in out
