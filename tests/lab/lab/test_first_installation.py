"""The page of the first installation goes as it is printed: every command of it, in its order."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import DB, REPOSITORY, Done, Kbz, bare_lab
from tests.lab.lab.page_typed import Rehearsal, typed

pytestmark = pytest.mark.lab

WHOLE = "kbz-production"
NO_ENTRY = {"health": 2, "lb check": 2}
"""Three servers have no entry: no probe goes through it."""
PLACES = {
    "key_filename": "keybuzz_infra",
    "known_hosts": "known_hosts",
    "state": "state",
    "credentials": "credentials",
    "k3s.artefacts": "artefacts",
    "mc.artefacts": "artefacts",
}
"""Where whoever types the page keeps what, below the folder of the test."""


def as_production(lab: Kbz, folder: Path, own: Iterable[str]) -> Path:
    """Write the lab's overlay as the only difference from production, with these values below the folder."""
    overlay = (lab.config.parent / "lab.yaml").read_text(encoding="utf-8")
    for name in ("key_filename", "known_hosts", *own):
        before = re.search(rf"(?m)^ *{re.escape(name)}: .*$", overlay)
        assert before is not None, name
        place = folder / PLACES[name]
        overlay = overlay.replace(before[0], f"  {name}: {place}")
    path = folder / "production.yaml"
    path.write_text(overlay, encoding="utf-8")
    return path


@pytest.fixture
def rehearsal(kbz: Kbz, cluster: None, tmp_path: Path) -> Iterator[Rehearsal]:
    """Three servers on which the run finds its work done; whoever types the page has nothing but the store."""
    overlay = as_production(kbz, tmp_path, ["k3s.artefacts", "mc.artefacts"])
    # The step that puts programs there: a lab of three servers has none of them.
    (tmp_path / "artefacts").mkdir()
    for name in ("k3s", "mc"):
        (tmp_path / "artefacts" / name).write_text("a program\n", encoding="utf-8")
    config = tmp_path / "nornir_config.yaml"
    text = kbz.config.read_text(encoding="utf-8")
    config.write_text(text.replace(f"{kbz.config.parent}/lab.yaml", str(overlay)), encoding="utf-8")
    made = Rehearsal(Kbz(config, kbz.root), kbz.on, tmp_path, DB, "db", NO_ENTRY)
    yield made
    if made.key.exists():
        name = made.authorized.split()[1]
        for host in DB:
            kbz.on(host, f"sed -i '\\|{name}|d' /root/.ssh/authorized_keys")


def test_every_command_of_the_page_on_three_servers(rehearsal: Rehearsal) -> None:
    verbs = rehearsal.go()
    assert verbs.index("preflight") < verbs.index("plan") < verbs.index("run")
    assert verbs[-1] == "drift install"
    assert len(verbs) == sum(words[0] == "kbz" for words in typed()) >= 15
    assert (rehearsal.folder / "machine/etc/systemd/system/kbz-drift.timer").exists() or (
        rehearsal.folder / "machine/etc/cron.d"
    ).exists()


@pytest.mark.long
def test_from_nothing_to_the_whole_fleet(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A clone, its own .venv, no credentials, no keys: all 48 servers from bare."""
    clone = tmp_path / "kbz"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    subprocess.run([clone / "scripts/setup"], check=True)
    with bare_lab(tmp_path_factory.mktemp("site"), WHOLE) as lab:
        overlay = as_production(lab, tmp_path, ["state", "credentials"])
        config = clone / "nornir_config.yaml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("inventory/lab.yaml", str(overlay)), encoding="utf-8")

        def kbz(*words: str, timeout: float) -> Done:
            done = subprocess.run(
                [clone / ".venv/bin/kbz", *words],
                cwd=clone, capture_output=True, text=True, timeout=timeout, check=False,
            )  # fmt: skip
            return Done(done.returncode, done.stdout, done.stderr)

        named = kbz("inventory", "--format", "json", timeout=60).json()
        hosts = tuple(server["name"] for server in named["servers"])
        assert len(hosts) == 48
        Rehearsal(kbz, lab.on, tmp_path, hosts, "all", {"plan": 2}).go()
