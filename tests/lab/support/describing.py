"""An applications.yaml of a test's own, in the place of the repository's."""

from __future__ import annotations

from pathlib import Path

from tests.lab.conftest import Kbz

Environment = dict[str, str]


def describe(kbz: Kbz, file: Path, text: str) -> None:
    """Let the site read this file, with this text; passwords that are missing are made."""
    file.write_text(text)
    config = kbz.config.read_text()
    (line,) = [line for line in config.splitlines() if line.lstrip().startswith("applications:")]
    kbz.config.write_text(config.replace(line, f"  applications: {file}"))
    kbz.good("secrets", "init")


def environment(kbz: Kbz, name: str, folder: Path) -> Environment:
    """Return the environment of an application, as `kbz apps env` writes it now."""
    place = folder / f"{name}.env"
    kbz.good("apps", "env", name, "--reveal-to", str(place))
    assert place.stat().st_mode & 0o777 == 0o600
    lines = [line for line in place.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def strays_inside(kbz: Kbz, *words: str) -> set[str]:
    """Return the ids of accounts and places inside clusters that no file describes, by a drift of these words."""
    done = kbz("drift", *words, "--format", "json")
    assert done.code in (0, 2), done.stdout + done.stderr
    items = done.json()["drift"]["items"]
    kinds = ("/role:", "/database:", "/user:", "/vhost:", "/bucket:")
    return {
        item["id"]
        for item in items
        if item["standing"] in ("new", "still") and any(kind in item["id"] for kind in kinds)
    }
