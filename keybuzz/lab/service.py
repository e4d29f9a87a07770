"""Run one of the lab's own services beside its hosts: started with a text, found by its group.

Its control group has a name that no host can have. It is made before anything else and removed
after everything else, so that `down` finds whatever a crash left.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence

from keybuzz.lab.hosts.cgroup import ControlGroup, control_group, group_names
from keybuzz.lab.hosts.process import Argument, launch
from keybuzz.lab.layout import ServicePlaces
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings

_MARK = "@"
_START_SECONDS = 20
_POLL_SECONDS = 0.05


def group(settings: LabSettings, name: str) -> ControlGroup:
    """Return the control group that holds all processes of a service."""
    return control_group(settings.name, f"{_MARK}{name}")


def names(settings: LabSettings) -> tuple[str, ...]:
    """Return the names of the services that were started and not ended, sorted."""
    found = group_names(settings.name)
    return tuple(name.removeprefix(_MARK) for name in found if name.startswith(_MARK))


def runs_with(settings: LabSettings, name: str, config: str) -> bool:
    """Return whether the service runs, and was started with this text."""
    file = ServicePlaces(settings, name).config
    return group(settings, name).populated() and file.exists() and file.read_text() == config


def prepare(settings: LabSettings, name: str, config: str) -> ServicePlaces:
    """End what is left of an earlier start, and write the text for the next one."""
    processes, places = group(settings, name), ServicePlaces(settings, name)
    processes.kill()
    processes.create()
    shutil.rmtree(places.folder, ignore_errors=True)
    places.folder.mkdir(parents=True)
    places.config.write_text(config)
    return places


def start(
    settings: LabSettings, name: str, argv: Sequence[Argument], answers: Callable[[], bool]
) -> None:
    """Start a prepared service, and return when it answers."""
    processes, places = group(settings, name), ServicePlaces(settings, name)
    launch(argv, group=processes.path / "keeper", log=places.log)
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if not processes.populated() or time.monotonic() > deadline:
            said = " / ".join(places.log.read_text(errors="replace").strip().splitlines()[-3:])
            raise KbzError(
                f"{name} does not answer: {said}", where="lab", hint=f"read {places.log}"
            )
        time.sleep(_POLL_SECONDS)


def stop(settings: LabSettings, name: str) -> None:
    """End a service at once and delete its files; its control group stays until `forget`."""
    group(settings, name).kill()
    shutil.rmtree(ServicePlaces(settings, name).folder, ignore_errors=True)


def forget(settings: LabSettings, name: str) -> None:
    """Remove the control group of a stopped service: the last trace of it."""
    group(settings, name).remove()
