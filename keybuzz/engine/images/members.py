"""Images that another member holds: a host that lacks one gets it from there, and needs no registry.

What makes it the same image is its id, which Docker makes of its content: the host that gets it compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from keybuzz.engine.change.steps import StepResult, apply, results_of
from keybuzz.engine.events import ImageWork, Listener
from keybuzz.engine.look.observe import Snapshot
from keybuzz.model.core.errors import KbzError, StepError
from keybuzz.model.core.live import Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change
from keybuzz.model.host.docker import Image
from keybuzz.site.files.private import private_subfolder
from keybuzz.transport.link import session
from keybuzz.transport.replies import ImageReply

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task

HAND_OUT_TIMEOUT = 900.0
"""Seconds for a host to hand out one image."""
_LARGEST = 8 << 30
"""Bytes of an archive: what a host sends is never kept without an end."""


def holders(snapshot: Snapshot, reference: str) -> dict[str, str]:
    """Return the hosts that hold an image, with its id there."""
    identity = Image(reference).identity
    return {
        host: str(state.attributes["id"])
        for host, seen in snapshot.observations.items()
        if (state := seen.states.get(identity)) is not None
        and state.present
        and "id" in state.attributes
    }


def held(snapshot: Snapshot) -> frozenset[str]:
    """Return the references that at least one host holds, and of which all holders have the same image."""
    names = {
        state.identity.partition(":")[2]
        for seen in snapshot.observations.values()
        for state in seen.states.values()
        if state.identity.startswith(f"{Image.kind}:") and state.present
    }
    return frozenset(name for name in names if len(set(holders(snapshot, name).values())) == 1)


def hand_over(
    stage: Stage, snapshot: Snapshot, nornir: Nornir, folder: Path, listen: Listener
) -> Iterator[StepResult]:
    """Bring the images that hosts of a stage would pull from members that hold them; yield what was brought.

    What cannot be brought is left to the stage, which pulls it. No failure here fails a host.
    """
    known = held(snapshot)
    for reference, lacking in _wanted(stage).items():
        if reference not in known:
            continue
        host, identity = min(holders(snapshot, reference).items())
        listen(ImageWork(reference, f"comes from {host}, which holds it"))
        try:
            private_subfolder(folder)
            with TemporaryDirectory(prefix="member-", dir=folder) as place:
                archive = Path(place) / "image.tar"
                fetch(nornir, host, reference, identity, archive)
                for result in deliver(nornir, lacking, reference, identity, archive, listen):
                    if result.outcome in (Outcome.OK, Outcome.CHANGED):
                        yield result
        except (KbzError, OSError) as error:  # OSError: no room here for the archive
            why = error.what if isinstance(error, KbzError) else str(error)
            listen(ImageWork(reference, f"did not come from {host}: {why}"))


def _wanted(stage: Stage) -> dict[str, dict[str, Change]]:
    """Return the changes of a stage that pull an image, by reference and host."""
    found: dict[str, dict[str, Change]] = {}
    for change in stage.changes:
        if isinstance(change.resource, Image) and not change.resource.built:
            found.setdefault(change.resource.reference, {})[change.host] = change
    return found


def fetch(nornir: Nornir, host: str, reference: str, identity: str, archive: Path) -> None:
    """Write the archive of a host's image into a file; an error of kbz when it does not hand it out."""
    chosen = nornir.filter(filter_func=lambda one: one.name == host)
    done = chosen.run(task=_hand_out, reference=reference, archive=archive, on_failed=True)
    chosen.data.reset_failed_hosts()
    outcome = done[host][0]
    if outcome.exception is not None:
        raise outcome.exception
    if outcome.result != identity:
        raise StepError(
            f"{reference} is another image now than a moment ago", where=host, hint="run it again"
        )


def _hand_out(task: Task, reference: str, archive: Path) -> Result:
    """Nornir task: the result is the id of the image whose archive was written."""
    from nornir.core.task import Result

    with archive.open("wb") as file:

        def keep(data: bytes) -> None:
            if file.tell() + len(data) > _LARGEST:
                raise StepError(
                    f"hands out more than {_LARGEST >> 30} GiB for {reference}",
                    where=task.host.name,
                    hint="no image of versions.yaml is that large: look at the host",
                )
            file.write(data)

        reply = session(task).request(
            "image", {"name": reference}, ImageReply, timeout=HAND_OUT_TIMEOUT, on_bytes=keep
        )
    return Result(host=task.host, result=reply.id)


def deliver(
    nornir: Nornir,
    lacking: Mapping[str, Change],
    reference: str,
    identity: str,
    archive: Path,
    listen: Listener,
) -> Iterator[StepResult]:
    """Give an archive to hosts; yield what became of it on each."""
    image = Image(reference, built=True, expected=identity)
    changes = {host: (replace(change, resource=image),) for host, change in lacking.items()}
    chosen = nornir.filter(filter_func=lambda one: one.name in changes)
    done = chosen.run(
        task=apply, changes=changes, archives={reference: archive}, listen=listen, on_failed=True
    )
    chosen.data.reset_failed_hosts()
    for host in changes:
        yield from results_of(done[host][0], changes[host])
