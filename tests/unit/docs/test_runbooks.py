"""Runbooks: a section for each check that the code can say, and for no other; and `kbz explain` for every id."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.cli.look.explain import DOCS
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.policy.registry import rules
from keybuzz.report.exit_codes import CODES
from keybuzz.report.explain import requirements
from keybuzz.report.machine.nagios import Status
from keybuzz.report.runbooks import Section, read_runbooks, sections
from tasks.backup.store.services import SERVICES
from tests.unit.support.check_ids import UnreadableIdError, check_ids, ids_of
from tests.unit.support.cli_said import Kbz, kbz

BOOKS = read_runbooks(DOCS / "runbooks")
INFOS = {info.id: info for m in all_modules() for info in getattr(m, "check_infos", ())}
REQUIREMENTS = requirements((DOCS / "requirements.md").read_text(encoding="utf-8"))
__all__ = ["kbz"]  # the fixture


def test_each_check_has_a_section_and_each_section_a_check() -> None:
    """A missing one: add `## id` to docs/runbooks/<module>.md, in the form of its neighbours."""
    said = set(check_ids())
    said |= {f"{m.name}.probe" for m in all_modules() if getattr(m, "probe", None) is not None}
    of_backups = ("age", "verified", "restored")
    said |= {f"backup.{one.service}.{name}" for one in SERVICES for name in of_backups}
    patterns = {name for name in said if "*" in name}
    known = {"*.probe", *(f"backup.*.{name}" for name in of_backups)}
    assert patterns <= known, "say here which ids these are"
    assert set(BOOKS) == said - patterns


def test_a_section_stands_on_the_page_of_its_module() -> None:
    for section in BOOKS.values():
        assert section.id.startswith(f"{section.page}.")


def test_a_section_and_the_registry_agree_about_levels() -> None:
    for name, info in INFOS.items():
        assert set(BOOKS[name].levels) == {level.word for level in info.levels}, name


def test_what_a_check_means_is_the_fault_and_never_the_good_state() -> None:
    def plain(text: str) -> str:
        return text.rstrip(".").casefold()

    wrong = [name for name, info in INFOS.items() if plain(BOOKS[name].means) == plain(info.title)]
    assert wrong == []


@pytest.mark.parametrize("section", BOOKS.values(), ids=BOOKS)
def test_a_section_is_whole(section: Section) -> None:
    book = section
    assert set(book.levels) <= {"ok", "warn", "unknown", "critical"}
    assert book.means.endswith(".")
    assert book.why.endswith(".") or not book.why
    assert all(step.endswith((".", "?")) for step in book.steps)


def test_the_reader_of_ids_follows_what_the_house_writes() -> None:
    source = """
CHECK = "a.constant"
def plain(): return Finding("a.text", 1)
def named():
    check, other = "a.name", 2
    return Finding(check, 1)
def module(): return Finding(CHECK, 1)
def helper(check, what): return Finding(check, what)
def caller(): return helper("a.argument", 1), helper(what=2, check="a.word")
def either(x): return Finding("a.one" if x else "a.other", 1)
"""
    assert ids_of(source, "x") == {
        "a.text", "a.name", "a.constant", "a.argument", "a.word", "a.one", "a.other",
    }  # fmt: skip
    with pytest.raises(UnreadableIdError, match=r"x:1: write the id of a check as a text"):
        ids_of("Finding(made(), 1)", "x")
    assert ids_of("Finding(f'{name}.b', 1)", "x") == {"*.b"}


def test_a_section_without_its_parts_is_an_error() -> None:
    with pytest.raises(InputError, match=r"a\.b is not in the form of a runbook"):
        list(sections("a", "# x\n\n## a.b\n\n**Means** (warn). It is so.\n"))


@pytest.mark.parametrize("name", BOOKS)
def test_explain_says_what_the_runbook_says(kbz: Kbz, name: str) -> None:
    said = kbz("explain", name).stdout
    flat = " ".join(said.split())
    assert flat.startswith(f"{name}: a check of {BOOKS[name].page}")
    assert " ".join(BOOKS[name].means.split()) in flat
    assert f"docs/runbooks/{BOOKS[name].page}.md" in flat
    assert len(said.splitlines()) <= len(BOOKS[name].steps) + 6, "a pipe gets whole sentences"
    assert "](" not in said
    assert "\x1f" not in said


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_explained(kbz: Kbz, code: ExitCode) -> None:
    done = kbz("explain", str(int(code)))
    assert done.returncode == 0
    assert done.stdout.startswith(f"exit {int(code)}: {CODES[code].title}\n")


def test_rules_and_requirements_are_explained_in_any_case_and_anywhere(
    kbz: Kbz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = kbz("explain", "ep-1").stdout
    assert "EP-1: a requirement" in both
    assert "EP-1: Applications use only the official endpoints" in both
    assert kbz("explain", "KBZ-3").stdout.startswith("KBZ-3: A waiver ends")
    assert "only the three node IPs" in kbz("explain", "MIN-4").stdout


def test_a_module_shows_its_checks_and_nothing_shows_all(kbz: Kbz) -> None:
    assert "redis.master.single" in kbz("explain", "redis").stdout
    shown = kbz("explain").stdout
    for name in (*BOOKS, *REQUIREMENTS, *(rule.id for rule in rules())):
        assert name in shown


def test_an_unknown_id_is_answered_with_the_near_one(kbz: Kbz) -> None:
    done = kbz("explain", "patroni.leader.singel")
    assert done.returncode == ExitCode.USAGE
    assert "did you mean patroni.leader.single" in done.stderr
    assert "kbz explain lists all ids" in kbz("explain", "xyzzy.plugh").stderr
    assert "kbz never exits with 7" in kbz("explain", "7").stderr


def test_the_rules_that_are_requirements_have_their_row() -> None:
    own = {rule.id for rule in rules() if not rule.id.startswith("KBZ-")}
    assert own <= set(REQUIREMENTS)


def test_nagios_codes_are_all_written_down() -> None:
    from keybuzz.report.exit_codes import NAGIOS

    assert {status: text.partition(":")[0] for status, text in NAGIOS.items()} == {
        int(status): status.name for status in Status
    }
