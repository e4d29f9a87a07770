"""`kbz health` of this tree next to that of an older revision, interleaved in one run on the same hosts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.bench.measure import rounds
from tests.bench.programs import REPOSITORY, Program
from tests.bench.site import write_site
from tests.bench.stage import Stage, inside
from tests.bench.table import table

WORK = "health"
_SITE = """\
import sys
from pathlib import Path
from tests.bench.site import write_site
from tests.bench.stage import Stage
target, folder, group, *addresses = sys.argv[1:]
print(write_site(Path(target), Stage(Path(folder), tuple(addresses), Path(group))))
"""
"""Written by each revision itself: the files of a site change with the program."""
_JUDGED = frozenset({2})
"""Exit codes of `kbz health` here: the hosts are bare, and every check of theirs is asked."""


def measured(made: Stage, folder: Path, revision: str, wanted: int) -> str:
    """Return the section: this tree and the revision, each beginning every other round."""
    ours = write_site(folder / "site", made)
    old, python = _installed(folder, revision)
    words = [str(folder / "old-site"), str(made.folder), str(made.group), *made.addresses]
    theirs = Path(_call(old, str(python), "-c", _SITE, *words).strip())
    contestants = [
        health("kbz", REPOSITORY / ".venv/bin/python", REPOSITORY, no_lab(ours)),
        health(f"kbz {revision}", python, old, no_lab(theirs)),
    ]
    # The first round compiles what a fresh installation has not compiled yet.
    rounds(made, contestants, WORK, lambda one: 1)
    found = rounds(made, contestants, WORK, lambda one: wanted)
    return (
        f"### `kbz health` next to {revision}, {len(made.addresses)} hosts\n\n{table(found)}\n\n"
        "Both judge all checks of all modules on the same bare hosts.\n"
    )


def health(name: str, python: Path, tree: Path, config: str) -> Program:
    """Return `kbz health` of a tree, over a site of bare hosts."""
    words = [str(python), "-m", "keybuzz.cli.main", "--config", config, "health", "--format"]
    there = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "in", str(tree), *words, "json"]
    return replace(Program(name, {WORK: inside(there)}), codes=_JUDGED)


def no_lab(config: Path) -> str:
    """Take the lab out of a site: its verbs ask which servers are up first, which no real site does."""
    overlay = config.with_name("overlay.yaml")
    lines = overlay.read_text().splitlines(keepends=True)
    overlay.write_text("".join(line for line in lines if not line.startswith("lab:")))
    return str(config)


def _installed(folder: Path, revision: str) -> tuple[Path, Path]:
    """Install a revision next to this tree's own dependencies; return its tree and its Python."""
    tree, venv = folder / "old", folder / "old-venv"
    tree.mkdir()
    packed = subprocess.run(
        ["git", "archive", revision], cwd=REPOSITORY, capture_output=True, check=False
    )
    if packed.returncode:
        sys.exit(f"git archive {revision}: {packed.stderr.decode()}")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=packed.stdout, check=True)
    ours = REPOSITORY / ".venv/bin/python"
    _call(tree, str(ours), "-m", "venv", "--without-pip", str(venv))
    here = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_call(tree, str(venv / "bin/python"), "-c", here).strip())
    # Its own metadata comes first: Nornir finds the connection plugins by it.
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(packages)]
    _call(tree, str(ours), "-m", "pip", "install", *options, str(tree))
    shared = _call(tree, str(ours), "-c", here).strip()
    (packages / "shared.pth").write_text(f"{shared}\n")
    return tree, venv / "bin/python"


def _call(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words[:4])} …: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
