"""Module names as people type them: a group of servers, or one of its aliases, means the modules that run on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from keybuzz.cli.support.offers import module_names, module_words
from keybuzz.model.core.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


def modules_argument() -> Callable[[Command], Command]:
    """Return the argument MODULES of a verb."""
    return click.argument(
        "modules",
        nargs=-1,
        shell_complete=module_words,
        callback=_named,
    )


def _named(
    context: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    if context.resilient_parsing or set(names) <= module_names():
        return names
    return named(names, str(context.find_root().obj))


def named(names: Iterable[str], config: str) -> tuple[str, ...]:
    """Return module names: what is a module stays, a group becomes its modules; UsageError for anything else."""
    from keybuzz.engine.catalogue import all_modules, choose

    typed = tuple(names)
    known = {module.name: module for module in all_modules()}
    if all(name in known or name == "all" for name in typed):
        return typed
    found: list[str] = []
    groups = _groups(config)
    for name in typed:
        group = groups.get(name, "")
        meant = [m.name for m in known.values() if m.group == group] if name not in known else []
        found += meant or [name]
    choose(found)
    return tuple(dict.fromkeys(found))


def _groups(config: str) -> dict[str, str]:
    """Return groups by their names and aliases; none where the site cannot be read, which the verb says itself."""
    from pathlib import Path

    from keybuzz.site.groups import load_groups
    from keybuzz.site.load import read_configuration

    try:
        catalogue = load_groups(read_configuration(Path(config)).groups)
    except InputError:
        return {}
    return {word: g.name for g in catalogue.groups for word in (g.name, *g.aliases)}
