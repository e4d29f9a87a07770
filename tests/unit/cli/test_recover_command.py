"""`kbz recover` as it is typed: what it does not know, and a table that tells who is what."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from keybuzz.cli.main import cli
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.recover import Operator, recover
from keybuzz.model.core.errors import UsageError
from keybuzz.report.text.positions import positions_text
from keybuzz.site.module import Position


def test_only_modules_that_say_how_can_be_recovered() -> None:
    assert [module.name for module in all_modules() if module.recovery] == ["galera"]
    operator = Operator(lambda positions, host: None, lambda cluster, host: cluster)
    nobody: object = None
    with pytest.raises(UsageError, match="how to recover patroni"):
        recover(nobody, "patroni", operator, 0.0, 1.0)  # type: ignore[arg-type]


def test_its_help_says_when_it_refuses() -> None:
    done = CliRunner().invoke(cli, ["recover", "--help"])
    assert done.exit_code == 0
    assert "Refused while any member serves" in done.output


def test_the_table_marks_the_chosen_and_nobody_when_there_is_none() -> None:
    rows = (
        Position("maria-01", "", -1, False, "no data"),
        Position("maria-02", "abc", 7, True, "grastate.dat"),
    )
    lines = positions_text(rows, "maria-02").splitlines()
    assert lines[1].endswith(" joins")
    assert lines[2].endswith("starts the cluster")
    assert "none" in lines[1]
    assert "unknown" in lines[1]
    refused = positions_text(rows, "")
    assert "joins" not in refused
    assert "starts" not in refused
