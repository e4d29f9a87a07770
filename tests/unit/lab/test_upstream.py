"""A lab on upstream's images: what is pulled for a reference, and that no lab mixes them with stand-ins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from keybuzz.lab.deviations import deviations
from keybuzz.lab.supply import artefacts, upstream
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.inventory.lab import LabSettings

CONTENT = b"the real program"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def settings(tmp_path: Path) -> LabSettings:
    return LabSettings("try", tmp_path / "lab", tmp_path / "cache")


@pytest.mark.parametrize(
    ("registry", "reference", "source"),
    [
        ("", "redis:7.2.5-alpine", "redis:7.2.5-alpine"),
        ("mirror:5000", "redis:7.2.5-alpine", "mirror:5000/library/redis:7.2.5-alpine"),
        ("mirror:5000", "proxysql/proxysql:2.6.4", "mirror:5000/proxysql/proxysql:2.6.4"),
        ("mirror:5000", "registry.example.org/a/b:1.2.3", "mirror:5000/a/b:1.2.3"),
        ("mirror:5000/cache", "haproxy:2.8.5", "mirror:5000/cache/library/haproxy:2.8.5"),
    ],
)
def test_the_frozen_reference_is_asked_of_the_registry_that_was_named(
    registry: str, reference: str, source: str
) -> None:
    assert upstream.source_of(registry, reference) == source


@pytest.mark.parametrize("registry", ["", "mirror:5000"])
def test_the_choice_is_kept_and_has_a_place_of_its_own(
    settings: LabSettings, registry: str
) -> None:
    assert upstream.remembered(settings) == settings
    made = upstream.chosen(settings, registry)
    assert upstream.remembered(settings) == made
    assert made.images != settings.images == settings.cache
    assert made.cache == settings.cache
    assert upstream.chosen(made, None).images == settings.cache
    assert upstream.remembered(settings) == settings


def test_servers_keep_what_they_were_made_on(settings: LabSettings) -> None:
    (settings.root / "hosts" / "redis-01").mkdir(parents=True)
    with pytest.raises(RefusedError, match="were made on stand-ins") as caught:
        upstream.chosen(settings, "mirror:5000")
    assert "kbz lab down --wipe" in caught.value.hint
    assert upstream.chosen(settings, None) == settings


def test_a_file_that_says_nothing_is_told(settings: LabSettings) -> None:
    upstream.chosen(settings, "mirror:5000")
    (settings.root / "images.json").write_text("{}")
    with pytest.raises(InputError, match="does not say what the lab runs on"):
        upstream.remembered(settings)


def test_a_lab_on_real_images_has_no_stand_ins_to_explain(settings: LabSettings) -> None:
    real = upstream.chosen(settings, "")
    subjects = {one.subject.split()[0] for one in deviations(real)}
    assert not subjects & {"image", "program"}
    assert {"image", "program"} <= {one.subject.split()[0] for one in deviations(settings)}


def test_a_released_program_is_taken_by_its_digest(settings: LabSettings, tmp_path: Path) -> None:
    (tmp_path / "k3s").write_bytes(CONTENT)
    upstream.take_programs(settings, ("k3s",), tmp_path, {"k3s": DIGEST})
    placed = artefacts.folder(settings) / "k3s"
    assert placed.read_bytes() == CONTENT
    assert placed.stat().st_mode & 0o777 == 0o755
    # What is there is right: nothing is needed for the next start.
    upstream.take_programs(settings, ("k3s",), None, {"k3s": DIGEST})


@pytest.mark.parametrize(
    ("content", "digests", "said"),
    [
        (b"another", {"k3s": DIGEST}, "versions.yaml wants"),
        (None, {"k3s": DIGEST}, "there is no file for k3s"),
        (CONTENT, {"k3s": ""}, "versions.yaml has no sha256 for k3s"),
        (CONTENT, {}, "versions.yaml has no sha256 for k3s"),
    ],
)
def test_no_other_program_is_taken(
    settings: LabSettings,
    tmp_path: Path,
    content: bytes | None,
    digests: dict[str, str],
    said: str,
) -> None:
    if content is not None:
        (tmp_path / "k3s").write_bytes(content)
    with pytest.raises(RefusedError, match=said):
        upstream.take_programs(settings, ("k3s",), tmp_path, digests)
    assert not (artefacts.folder(settings) / "k3s").exists()
