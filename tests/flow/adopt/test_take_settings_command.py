"""`kbz adopt MODULE --take-settings` as an operator types it: a diff first, then the name, then the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flow.support.talkative import Talkative, talkative

SECRET = "a-secret-of-the-store-0123456789"
TAKE = ("adopt", "demo", "--take-settings")


@pytest.fixture
def site(tmp_path: Path) -> Talkative:
    made = talkative(tmp_path, SECRET)
    (made.host.files / "app.conf").write_text("# of the old installation\nsessions = 300\n")
    path = tmp_path / "site.yaml"
    path.write_text(
        path.read_text() + "  # settled in May\n  demo.sessions: 200  # the owner\n# the end\n"
    )
    path.chmod(0o640)
    return made


def test_a_diff_comes_first_and_the_file_after_the_name(site: Talkative) -> None:
    path = site.folder / "site.yaml"
    before = path.read_text()
    after = before.replace("demo.sessions: 200", "demo.sessions: 300")
    untyped = site.kbz("quiet", *TAKE)
    assert (untyped.code, path.read_text()) == (3, before)
    assert "+  demo.sessions: 300  # the owner" in untyped.stdout
    assert "its name was not typed; nothing was changed" in untyped.stderr
    typed = site.kbz("quiet", *TAKE, "--confirm", "demo")
    assert (typed.code, path.read_text()) == (0, after), typed.stderr
    assert path.stat().st_mode & 0o777 == 0o640
    again = site.kbz("quiet", *TAKE, "--format", "json")
    assert json.loads(again.stdout)["settings"]["taken"] == []
    history = site.kbz("quiet", "history", "--format", "json").stdout
    assert "--take-settings --confirm demo" in history


def test_what_cannot_be_taken_is_said_and_exits_otherwise(site: Talkative) -> None:
    (site.host.files / "app.conf").write_text("sessions = 0\n")
    before = (site.folder / "site.yaml").read_text()
    said = site.kbz("quiet", *TAKE)
    assert said.code == 2
    assert "not taken, demo.sessions: demo.sessions is '0', and must be" in said.stdout
    assert (site.folder / "site.yaml").read_text() == before


@pytest.mark.parametrize(
    ("live", "code", "words"),
    [
        ("200", 0, "0 values to take over"),
        ("0", 2, "not taken, demo.sessions: demo.sessions is '0', and must be"),
    ],
)
def test_where_nothing_is_taken_the_file_is_not_asked_for_its_form(
    site: Talkative, live: str, code: int, words: str
) -> None:
    """The overlay says all parameters: site.yaml needs none, and that was an error before anything was told."""
    (site.host.files / "app.conf").write_text(f"sessions = {live}\n")
    path, overlay = site.folder / "site.yaml", site.folder / "overlay.yaml"
    paths, mark, parameters = path.read_text().partition("parameters:\n")
    path.write_text(paths)
    overlay.write_text(overlay.read_text() + mark + parameters)
    said = site.kbz("quiet", *TAKE)
    assert (said.code, path.read_text()) == (code, paths), said.stderr
    assert words in said.stdout


def test_what_is_found_is_told_also_where_the_file_has_a_form_that_takes_no_value(
    site: Talkative,
) -> None:
    path = site.folder / "site.yaml"
    before = path.read_text().replace("demo.sessions: 200", "demo.sessions:\n    # why\n    200")
    path.write_text(before)
    said = site.kbz("quiet", *TAKE, "--confirm", "demo")
    assert (said.code, path.read_text()) == (1, before)
    assert "take demo.sessions: 300" in said.stdout
    assert "a comment would be lost: # why" in said.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("adopt", "demo", "--confirm", "demo"),
        (*TAKE, "--limit", "db"),
        (*TAKE, "--take-credentials"),
    ],
)
def test_words_that_do_not_go_together_are_a_fault_of_usage(
    site: Talkative, words: tuple[str, ...]
) -> None:
    assert site.kbz("quiet", *words).code == 64
