"""What the modules say of the words of their programs: `SAYS` in tasks/<module>/said.py, of each that has one."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from keybuzz.model.said.spelling import ModuleSays


@cache
def by_modules() -> tuple[ModuleSays, ...]:
    """Return what each module says, by the modules' folders in order."""
    import tasks

    root = Path(tasks.__path__[0])
    return tuple(_says(root / name / "said.py") for name in tasks.with_file("said.py"))


def _says(path: Path) -> ModuleSays:
    """Run a file of data by itself: a text is masked, and a line broken, without the rest of its module."""
    spec = spec_from_file_location(f"{path.parent.name}_said", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    says: ModuleSays = module.SAYS
    return says
