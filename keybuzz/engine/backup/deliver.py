"""The image whose programs read a service's data: handed to the host of the backups when it is needed."""

from __future__ import annotations

from pathlib import Path

from keybuzz.engine.backup.held import Held
from keybuzz.engine.backup.work import execution
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.steps import apply, results_of
from keybuzz.engine.images.images import archive_of
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.host.docker import Image
from keybuzz.site.backups.archive import Work
from keybuzz.site.module import Module


def ensure_image(workspace: Workspace, held: Held) -> str:
    """Return the image's reference, after the host has it; StepError when it does not take it.

    It is the image that the service itself runs. Empty for a service whose data needs none.
    """
    if not held.archive.image:
        return ""
    (module,) = [one for one in all_modules() if one.name == held.archive.image]
    image = _image(workspace, module)
    look = Work("look for the image", ("docker", "image", "inspect", image.reference), 60.0)
    if execution(workspace, held.host, look).exit_code != 0:
        _hand_over(workspace, held, image, _archives(workspace, module, image))
    return image.reference


def _image(workspace: Workspace, module: Module) -> Image:
    """Return the first image that the module describes on a member of its group."""
    site = workspace.site
    described = module.describe(site, site.members(module.group)[0]).resources
    return next(item for item in described if isinstance(item, Image))


def _archives(workspace: Workspace, module: Module, image: Image) -> dict[str, Path]:
    """Return what is streamed to the host; nothing for an image that it pulls."""
    settings = workspace.site.settings
    return {
        build.reference: archive_of(
            build, settings.builder_socket, settings.state / "images", workspace.listen
        )
        for build in module.images(workspace.site)
        if image.built and build.reference == image.reference
    }


def _hand_over(workspace: Workspace, held: Held, image: Image, archives: dict[str, Path]) -> None:
    missing = (Difference("reference", None, image.reference),)
    change = Change(held.host, held.module.name, image, Action.CREATE, missing)
    chosen = workspace.nornir.filter(filter_func=lambda one: one.name == held.host)
    done = chosen.run(
        task=apply,
        changes={held.host: (change,)},
        archives=archives,
        listen=workspace.listen,
        on_failed=True,
    )
    chosen.data.reset_failed_hosts()
    for result in results_of(done[held.host][0], (change,)):
        if result.outcome not in (Outcome.OK, Outcome.CHANGED):
            raise StepError(result.what, where=held.host, hint=result.hint)
