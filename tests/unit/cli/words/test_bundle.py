"""`kbz bundle`, over a site whose hosts are all away: the archive is made all the same, and says so."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.unit.cli.test_every_verb import HOST, Place, place
from tests.unit.report.test_schemas import at_place, wrong
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["at_place", "kbz", "place"]  # the fixtures
UNREACHABLE, REFUSED, WRONG = 4, 3, 1


def test_hosts_that_are_away_are_named_and_the_archive_is_made(
    at_place: Kbz, place: Place, tmp_path: Path
) -> None:
    before = place.files()
    out = tmp_path / "redis.tar.gz"
    done = at_place("bundle", "redis", "--limit", HOST, "--out", str(out), "--format", "json")
    assert done.returncode == UNREACHABLE, done.stderr
    manifest = json.loads(done.stdout)
    assert wrong("bundle", manifest) == []
    assert [item["host"] for item in manifest["hosts"]] == [HOST]
    assert "nothing answers" in manifest["hosts"][0]["silent"]
    with tarfile.open(out) as tar:
        kept = tar.extractfile("redis/manifest.json")
        assert kept is not None
        assert json.loads(kept.read()) == manifest
    assert place.files() == before


def test_the_name_says_what_it_is_of(
    at_place: Kbz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = at_place("bundle", "redis", "--limit", HOST)
    [made] = tmp_path.iterdir()
    assert made.match("kbz-bundle-redis-2*Z.tar.gz")
    assert f"{HOST} did not answer: " in done.stdout
    assert f"{made.name}: " in done.stdout
    assert "read it before you hand it over" in done.stdout


def test_a_place_that_cannot_be_is_refused_before_any_host_is_asked(
    at_place: Kbz, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    done = at_place("bundle", "redis", "--out", str(taken))
    assert done.returncode == REFUSED
    assert "is never overwritten" in done.stderr
    assert taken.read_text() == "mine"
    done = at_place("bundle", "redis", "--out", str(tmp_path / "no" / "b.tar.gz"))
    assert done.returncode == WRONG
    assert "nothing can be written there" in done.stderr
    assert list(tmp_path.iterdir()) == [taken]
