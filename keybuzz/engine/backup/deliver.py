"""The image whose programs read a service's data: built once, and handed to the host of the backups when needed."""

from __future__ import annotations

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
from keybuzz.site.module import ImageBuild, Work


def ensure_image(workspace: Workspace, held: Held) -> str:
    """Return the image's reference, after the host has it; StepError when it does not take it."""
    build = _build(workspace, held)
    look = Work("look for the image", ("docker", "image", "inspect", build.reference), 60.0)
    if execution(workspace, held.host, look).exit_code == 0:
        return build.reference
    settings = workspace.site.settings
    archive = archive_of(
        build, settings.builder_socket, settings.state / "images", workspace.listen
    )
    missing = (Difference("reference", None, build.reference),)
    image = Image(build.reference, built=True)
    change = Change(held.host, held.module.name, image, Action.CREATE, missing)
    chosen = workspace.nornir.filter(filter_func=lambda one: one.name == held.host)
    done = chosen.run(
        task=apply,
        changes={held.host: (change,)},
        archives={build.reference: archive},
        listen=workspace.listen,
        on_failed=True,
    )
    chosen.data.reset_failed_hosts()
    for result in results_of(done[held.host][0], (change,)):
        if result.outcome not in (Outcome.OK, Outcome.CHANGED):
            raise StepError(result.what, where=held.host, hint=result.hint)
    return build.reference


def _build(workspace: Workspace, held: Held) -> ImageBuild:
    (module,) = [module for module in all_modules() if module.name == held.archive.image]
    (build,) = module.images(workspace.site)
    return build
