"""Which verb has which forms: the page says what the options are, and each form of each verb is one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keybuzz.cli.look.explain import DOCS
from keybuzz.cli.support.forms import EVERY_FORM, forms_of, takes_output
from keybuzz.cli.support.output import FORMS
from keybuzz.report.machine.nagios import Status
from tests.unit.cli.test_every_verb import LOOKS, Place, place
from tests.unit.report.test_schemas import OF_VERB, SAID, at_place, wrong
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.cli_verbs import verbs

__all__ = ["at_place", "kbz", "place"]  # the fixtures

OFFERED = {words: forms_of(command) for words, command in verbs().items()}
WITH_A_FILE = {words for words, command in verbs().items() if takes_output(command)}
JUDGING = {words for words, forms in OFFERED.items() if "nagios" in forms}
ELSEWHERE = {"lb check", "versions verify"}
"""They would ask addresses of production from this machine; tests/lab asks the lab's."""
STRAY = ("secrets", "stray", "--limit", "redis-01")


def test_the_page_says_what_the_options_are() -> None:
    page = (DOCS / "reference" / "outputs.md").read_text(encoding="utf-8")
    told: dict[str, tuple[tuple[str, ...], bool]] = {}
    for words, cells in re.findall(r"(?m)^\| \[(.+?)\]\(.+?\) \| (.+) \|$", page):
        *marks, output = (cell.strip() == "✓" for cell in f" {cells} ".split(" | "))
        forms = tuple(form for form, mark in zip(EVERY_FORM, marks, strict=True) if mark)
        told[words] = (forms, output)
    (plain,) = re.findall(r"(?m)^In text only: (.+)\.$", page)
    told |= dict.fromkeys(re.findall("`(.+?)`", plain), (("text",), False))
    assert told == {words: (OFFERED[words], words in WITH_A_FILE) for words in verbs()}


def test_a_verb_that_looks_answers_in_json_and_into_a_file() -> None:
    """A page (`report`), rules (`alerts`), a server (`serve`, those of a pool), lines for a shell or an application.

    What `notify` sends, its receivers read; `bundle` writes its archive, and answers about it.
    """
    without = {words for words in LOOKS if "json" not in OFFERED[words]}
    assert without == {
        *("report", "alerts", "serve", "completion", "help", "apps env"),
        *("notify test", "notify failed"),
        *("workers scheduler", "workers serve"),
    }
    assert LOOKS - without - {"bundle"} | {"exec"} == WITH_A_FILE


def test_a_verdict_has_every_form() -> None:
    """Those that look and can end with a verdict of their own: exit 2, 3 or 4."""
    for words in JUDGING:
        assert OFFERED[words][: len(FORMS)] == FORMS
    assert {
        *(
            "health look",
            "health status",
            "status",
            "plan",
            "drift look",
            "drift status",
            "lb check",
        ),
        *("versions check", "versions verify", "policy check", "secrets check", "secrets stray"),
    } == JUDGING


@pytest.mark.parametrize("words", sorted(WITH_A_FILE & set(SAID)))
def test_a_file_takes_the_document_and_stdout_stays_empty(
    at_place: Kbz, tmp_path: Path, words: str
) -> None:
    target = tmp_path / "answer.json"
    end = ("--", "true") if words == "exec" else ()
    done = at_place(*SAID[words], "--format", "json", "--output", str(target), *end)
    assert done.stdout == ""
    assert wrong(OF_VERB[words], json.loads(target.read_text(encoding="utf-8"))) == []
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("words", sorted(JUDGING - ELSEWHERE))
def test_every_verdict_is_told_in_every_form(at_place: Kbz, words: str) -> None:
    asked = SAID.get(words, STRAY)
    verb = words.removesuffix(" look")
    codes = set()
    for form in ("text", "json", "junit", "prometheus"):
        done = at_place(*asked, "--format", form)
        codes.add(done.returncode)
        if form == "junit":
            assert fromstring(done.stdout.encode()).get("name") == f"kbz {verb}"
        elif form == "prometheus":
            families = {found.name: found for found in text_string_to_metric_families(done.stdout)}
            (code,) = families["kbz_last_run_exit_code"].samples
            assert (code.labels, code.value) == ({"verb": verb}, done.returncode)
    assert len(codes) == 1
    done = at_place(*asked, "--format", "nagios")
    assert re.fullmatch(rf"KBZ (OK|WARNING|CRITICAL|UNKNOWN) - {verb}: [^\n]+\n", done.stdout)
    # A warning is 1 there, and good for kbz itself.
    assert (done.returncode in (Status.OK, Status.WARNING)) is (codes == {0})


@pytest.mark.parametrize("words", ["lab diff", "lab status"])
def test_a_lab_that_never_was_up_is_told_as_described(
    place: Place, kbz: Kbz, tmp_path: Path, words: str
) -> None:
    config = ("--config", str(place.folder / "lab.config"))
    done = kbz(*config, *words.split(), "--format", "json")
    assert wrong(OF_VERB[words], json.loads(done.stdout)) == []
    target = tmp_path / "lab.txt"
    text = kbz(*config, *words.split()).stdout
    assert kbz(*config, *words.split(), "--output", str(target)).stdout == ""
    assert target.read_text(encoding="utf-8") == text


def test_sarif_goes_into_a_file_too(at_place: Kbz, tmp_path: Path) -> None:
    target = tmp_path / "kbz.sarif"
    done = at_place(*SAID["policy check"], "--format", "sarif", "--output", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(target.read_text(encoding="utf-8"))["version"] == "2.1.0"


def test_news_that_are_none_empty_the_file(at_place: Kbz, tmp_path: Path) -> None:
    target = tmp_path / "news.txt"
    words = ("drift", "base", "--limit", "redis-02", "--only-new", "--output", str(target))
    at_place(*words)
    assert "silent/redis-02" in target.read_text(encoding="utf-8")
    at_place(*words)
    assert target.read_text(encoding="utf-8") == ""


def test_a_folder_of_files_is_no_document(at_place: Kbz, tmp_path: Path) -> None:
    out = ("render", "redis", "--limit", "redis-01", "--out", str(tmp_path / "out"))
    done = at_place(*out, "--format", "json")
    assert done.returncode == 64
    assert "--out and --format json exclude each other" in done.stderr
    done = at_place(*out)
    assert done.stdout.split() == [
        str(p) for p in sorted((tmp_path / "out").rglob("*")) if p.is_file()
    ]
