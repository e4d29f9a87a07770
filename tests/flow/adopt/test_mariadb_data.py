"""What the agent says of MariaDB's data: which cluster's it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.galera.agent import mariadb as kind
from tasks.galera.service.resources import MariadbData

HISTORY = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
CONTEXT: Any = SimpleNamespace()


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        (f"# GALERA saved state\nversion: 2.1\nuuid:    {HISTORY}\nseqno:   -1\n", HISTORY),
        (f"uuid: {HISTORY.upper()}\n", HISTORY),
        ("# GALERA saved state\nuuid:    \nseqno:   -1\n", ""),
        ("\0\0\0", ""),
        (None, ""),
    ],
)
def test_whose_data_it_is_is_what_galera_wrote_beside_it(
    tmp_path: Path, text: str | None, cluster: str
) -> None:
    (tmp_path / "data").mkdir()
    if text is not None:
        (tmp_path / "data/grastate.dat").write_text(text)
    state = kind.read_mariadb_data(MariadbData(str(tmp_path), "10.11").query(), CONTEXT)
    assert state["attributes"]["cluster"] == cluster
