"""Build an old deployment on bare lab hosts, past SSH and past everything that kbz does to a server."""

from __future__ import annotations

import secrets
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from keybuzz.lab.hosts import host
from keybuzz.lab.hosts.process import Report
from keybuzz.lab.legacy.description import OldDeployment, OldFile, OldHost
from keybuzz.lab.network import inside
from keybuzz.lab.supply import artefacts, builder
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_READY_SECONDS = 180.0
_POLL_SECONDS = 0.5
_LOAD_SECONDS = 300
_BUILD_SECONDS = 1800
_BUILD = "build:"
"""Before a folder with a Dockerfile, and build arguments, where no image of the lab could stand for the old one."""


def build_all(
    settings: LabSettings,
    chosen: Sequence[tuple[OldDeployment, Sequence[Server]]],
    report: Report,
) -> None:
    """Make several at once; those of one group share its hosts, and are made one after the other."""
    remembered(settings, [name for old, _ in chosen for name in old.secrets()])
    groups: dict[str, list[tuple[OldDeployment, Sequence[Server]]]] = {}
    for old, members in chosen:
        groups.setdefault(old.group(), []).append((old, members))

    def one_after_the_other(mine: list[tuple[OldDeployment, Sequence[Server]]]) -> None:
        for old, members in mine:
            build(settings, old, members, report)

    with ThreadPoolExecutor(len(groups) or 1) as pool:
        list(pool.map(one_after_the_other, groups.values()))


def build(
    settings: LabSettings, old: OldDeployment, members: Sequence[Server], report: Report
) -> None:
    """Make it on these hosts, which must be bare, and fill it with data."""
    known = remembered(settings, old.secrets())
    described = {one.name: old.on(one, members, known) for one in members}
    for name, there in described.items():
        _require_bare(settings, name, there)
    made = next(iter(described.values())).images
    for image, stands in made.items():
        _make(settings, old, image, stands, report)
    for name, there in described.items():
        _load(settings, name, there.images)
        _place(settings, name, there.programs)
    for name, there in described.items():
        report(name, f"gets the old {old.module}, variant {old.variant}")
        _shell(settings, name, _script(there))
        if not old.together():
            _wait(settings, name, there.ready)
    for name, there in described.items():
        _wait(settings, name, there.ready)
        if there.afterwards:
            _shell(settings, name, there.afterwards)
    first = members[0].name
    if described[first].fill:
        _shell(settings, first, described[first].fill)
        report(first, "has data")


def remembered(settings: LabSettings, names: Iterable[str]) -> dict[str, str]:
    """Return the secrets of this lab's old deployments; new ones are made up, and kept beside the lab's keys."""
    path = settings.root / "legacy.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = dict(line.split("=", 1) for line in lines)
    missing = {name: secrets.token_hex(16) for name in names if name not in known}
    if missing:
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in missing.items())
    return {**known, **missing}


def _require_bare(settings: LabSettings, name: str, there: OldHost) -> None:
    for container in there.containers:
        if _answers(settings, name, f"docker inspect {shlex.quote(container.name)}"):
            raise KbzError(
                f"there is a container {container.name} already",
                where=name,
                hint=proposed("kbz", "lab", "reset", name),
            )
    for path in there.programs:
        if _answers(settings, name, f"test -e {shlex.quote(path)}"):
            raise KbzError(
                f"there is {path} already", where=name, hint=proposed("kbz", "lab", "reset", name)
            )


def _make(
    settings: LabSettings, old: OldDeployment, image: str, stands: str, report: Report
) -> None:
    """Build an image that the scripts built themselves, from the folder beside the description."""
    if not stands.startswith(_BUILD):
        return
    report("", f"Building {image} as the old scripts did.")
    place, *values = stands.removeprefix(_BUILD).split()
    arguments = [word for value in values for word in ("--build-arg", value)]
    folder = str((old.path.parent / place).resolve())
    words = ["build", "--network", "host", "--force-rm", "--tag", image, *arguments, folder]
    builder.docker(settings, words, seconds=_BUILD_SECONDS)


def _load(settings: LabSettings, name: str, images: Mapping[str, str]) -> None:
    """Give a host the images that the scripts once pulled; no registry is named on a bare host."""
    for old, standing in images.items():
        stands = old if standing.startswith(_BUILD) else standing
        into = [*host.entry(settings, name), "docker", "load", "--quiet"]
        with subprocess.Popen(
            [*builder.client(settings), "save", stands], stdout=subprocess.PIPE
        ) as saving:
            done = subprocess.run(
                into,
                stdin=saving.stdout,
                capture_output=True,
                text=True,
                timeout=_LOAD_SECONDS,
                check=False,
            )
        if done.returncode or saving.returncode:
            raise KbzError(
                f"{stands} cannot be loaded: {done.stderr.strip()}",
                where=name,
                hint="kbz lab up makes it",
            )
        _shell(settings, name, f"docker tag {shlex.quote(stands)} {shlex.quote(old)}\n")
        if old != stands:
            _shell(settings, name, f"docker rmi {shlex.quote(stands)} >/dev/null\n")


def _place(settings: LabSettings, name: str, programs: Mapping[str, str]) -> None:
    """Give a host the programs that the scripts once downloaded."""
    for path, program in programs.items():
        words = ["sh", "-c", 'cat > "$0" && chmod 755 "$0"', path]
        with (artefacts.folder(settings) / program).open("rb") as file:
            done = subprocess.run(
                [*host.entry(settings, name), *words],
                stdin=file,
                capture_output=True,
                text=True,
                timeout=_LOAD_SECONDS,
                check=False,
            )
        if done.returncode:
            raise KbzError(f"{path} cannot be written: {done.stderr.strip()}", where=name)


def _script(there: OldHost) -> str:
    """Return what the old scripts did on one host."""
    lines = ["set -eu"]
    for folder in there.directories:
        path = shlex.quote(folder.path)
        lines += [f"mkdir -p {path}", f"chown {folder.owner} {path}", f"chmod {folder.mode} {path}"]
    for file in there.files:
        lines += _written(file)
    for one in there.containers:
        words = ("docker", "run", "-d", "--name", one.name, *one.run, one.image, *one.command)
        lines.append(f"{shlex.join(words)} >/dev/null")
    lines.append(there.start)
    return "\n".join(lines) + "\n"


def _written(file: OldFile) -> list[str]:
    path = shlex.quote(file.path)
    return [
        f'mkdir -p "$(dirname {path})"',
        f"printf %s {shlex.quote(file.text)} > {path}",
        f"chown {file.owner} {path}",
        f"chmod {file.mode} {path}",
    ]


def _wait(settings: LabSettings, name: str, ready: str) -> None:
    """Wait until a condition holds. It is never told: filled in, it holds the secrets of the old deployment."""
    deadline = time.monotonic() + _READY_SECONDS
    while ready and not _answers(settings, name, ready):
        if time.monotonic() > deadline:
            raise KbzError(
                f"the old deployment does not serve after {_READY_SECONDS:.0f} s",
                where=name,
                hint=proposed("kbz", "lab", "exec", name, "--", "docker", "ps", "-a"),
            )
        time.sleep(_POLL_SECONDS)


def _answers(settings: LabSettings, name: str, condition: str) -> bool:
    try:
        _shell(settings, name, f"({condition}) >/dev/null 2>&1\n")
    except KbzError:
        return False
    return True


def _shell(settings: LabSettings, name: str, script: str) -> str:
    """Run a script that stands in no argument: it holds secrets."""
    return inside.capture(settings, name, ["sh", "-s"], feed=script, seconds=_LOAD_SECONDS)
