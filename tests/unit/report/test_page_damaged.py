"""`kbz report` where the journal is damaged: what was given is shown, and what is only in the journal is refused."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.test_every_verb import Place, place
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz", "place"]  # the fixtures


def test_a_damaged_journal_keeps_no_answer_from_the_page(
    place: Place, kbz: Kbz, tmp_path: Path
) -> None:
    answer, page = tmp_path / "health.json", tmp_path / "kbz.html"
    config = str(place.folder / "site.config")
    asked = ("health", "redis", "--limit", "redis-01", "--format", "json")
    kbz("--config", config, *asked, "--output", str(answer))
    [journal] = place.folder.rglob("journal.sqlite")
    content = journal.read_bytes()
    journal.write_bytes(b"this is no database, and long enough to be seen as none\n" * 100)
    try:
        done = kbz("--config", config, "report", "--health", str(answer), "--html", str(page))
        alone = kbz("--config", config, "report", "--from-journal", "--html", str(page))
    finally:
        journal.write_bytes(content)
    assert done.returncode == 4
    assert "redis.member.reachable" in page.read_text()
    assert "the journal" in done.stderr
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr + alone.stderr
    assert alone.returncode == 1, "there is nothing else that it could show"
