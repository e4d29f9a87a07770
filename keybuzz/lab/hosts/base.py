"""Root file systems from Debian packages, made once per recipe and cached."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keybuzz.lab.hosts.process import Report, exclusive, run, succeeds
from keybuzz.lab.hosts.recipe import BaseRecipe, servers
from keybuzz.model.core.errors import InputError, KbzError

_BUILD_SECONDS = 1800
_MACHINE_CERTIFICATES = Path("/usr/local/share/ca-certificates")


def server_bases(cache: Path, systems: Iterable[str], report: Report) -> dict[str, str]:
    """Make sure that the bases of these operating systems are in the cache; return the digest of each.

    Those that are missing are made side by side: half of the time is waiting for packages.
    """
    recipes = {system: recipe_of(system) for system in sorted(set(systems))}
    if any(not folder(cache, recipe.digest).is_dir() for recipe in recipes.values()):
        with exclusive(cache / "base" / "lock"):
            _build_missing(cache, recipes, report)
    return {system: recipe.digest for system, recipe in recipes.items()}


def recipe_of(system: str) -> BaseRecipe:
    """Return the recipe of an operating system; InputError when the lab cannot make it."""
    if system not in servers():
        raise InputError(
            f"the lab cannot give a host {system}",
            where="base.operating_system",
            hint=f"use one of: {', '.join(servers())}",
        )
    return servers()[system]


def folder(cache: Path, digest: str) -> Path:
    """Return where the base with that digest lies; hosts keep the one that they were made on."""
    return cache / "base" / digest


def build(recipe: BaseRecipe, target: Path) -> None:
    """Make the root file system of a recipe in an empty or absent folder.

    A half-made one is thrown away, so that dpkg need not wait for the disk after each file.
    """
    run(
        [
            "mmdebstrap",
            *("--mode=root", "--variant=minbase", "--components=main", "--format=directory"),
            "--dpkgopt=force-unsafe-io",
            f"--include={','.join(recipe.packages)}",
            recipe.release,
            target,
            mirror(recipe.release),
        ],
        seconds=_BUILD_SECONDS,
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )
    _customise(recipe, target)


def mirror(release: str) -> str:
    """Return the Debian mirror that this machine itself uses: a mirror has every release.

    Its source for this very release comes first, where it has one.
    """
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Component: main"]
    for wanted in (f"Codename: {release}", "Label: Debian"):
        told = run([*ask, wanted]).split()
        if told:
            return told[0]
    raise KbzError(
        f"this machine has no source of Debian packages for {release}",
        where="lab",
        hint="add one to /etc/apt/sources.list.d and run apt-get update",
    )


def trust_like_this_machine(target: Path) -> None:
    """Let programs in a root file system trust the authorities that this machine's owner added.

    Needed where package downloads pass a company's gateway; elsewhere there are none to copy.
    """
    certificates = sorted(_MACHINE_CERTIFICATES.glob("*.crt"))
    if not certificates:
        return
    inside = target / _MACHINE_CERTIFICATES.relative_to("/")
    inside.mkdir(parents=True, exist_ok=True)
    for certificate in certificates:
        shutil.copy(certificate, inside)
    run(["chroot", target, "update-ca-certificates"])


def _build_missing(cache: Path, recipes: Mapping[str, BaseRecipe], report: Report) -> None:
    missing = {
        system: recipe
        for system, recipe in recipes.items()
        if not folder(cache, recipe.digest).is_dir()
    }
    for leftover in (cache / "base").glob("unfinished-*"):
        # Best effort: the mmdebstrap of a killed program may still write to its own folder.
        succeeds(["rm", "-rf", "--one-file-system", leftover])
    if missing:
        names = " and ".join(missing)
        report(
            "",
            f"Making the base of hosts with {names} from Debian packages: about 2 minutes, once.",
        )
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda recipe: _build_one(cache, recipe), missing.values()))


def _build_one(cache: Path, recipe: BaseRecipe) -> None:
    target = folder(cache, recipe.digest)
    unfinished = target.with_name(f"unfinished-{os.getpid()}-{recipe.release}")
    build(recipe, unfinished)
    unfinished.rename(target)


def _customise(recipe: BaseRecipe, target: Path) -> None:
    for pattern in recipe.removed:
        for path in target.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for file in recipe.files:
        path = target / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
    for verb, units in (("mask", recipe.masked), ("disable", recipe.disabled)):
        if units:
            run(["systemctl", f"--root={target}", verb, *units])
    if not (target / "bin/sh").exists():
        raise KbzError("the base has no shell: mmdebstrap left it incomplete", where=str(target))
