"""All parameters of site.yaml and its overlay against those that are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.lab import TRAITS
from keybuzz.site.files.problems import Problems, nearest
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.site import Place, Settings

Declared = Mapping[str, Parameter[Any]]


def by_name(parameters: Iterable[Parameter[Any]]) -> Declared:
    """Return the parameters by name; two readers of one value must declare the same."""
    found: dict[str, Parameter[Any]] = {}
    for parameter in parameters:
        if found.setdefault(parameter.name, parameter) != parameter:
            raise InputError(
                f"parameter {parameter.name} is declared in two ways",
                where="tasks/",
                hint="declare it alike",
            )
    return found


def checked(settings: Settings, declared: Declared) -> Settings:
    """Return the settings with defaults filled in.

    InputError with file:line for each name that no reader declares, and each value of another form.
    """
    source = settings.places.get("", Place("site.yaml", 1)).file
    problems = Problems(source)
    for label, name, text in _written(settings):
        place = settings.places.get(label, Place(source, 1))
        parameter = declared.get(name)
        if parameter is None:
            what = f"no part of kbz reads a parameter {name}"
            problems.add(place.line, what, nearest(name, declared), source=place.file)
        elif problem := parameter.problem(text):
            problems.add(place.line, problem, parameter.hint, source=place.file)
    for name, parameter in declared.items():
        if name not in settings.parameters and parameter.default is None:
            what = f"parameter {name} is not set"
            problems.add(1, what, f"add it: {parameter.meaning}", source=source)
    problems.raise_if_any()
    defaults = {name: item.default for name, item in declared.items() if item.default is not None}
    return replace(settings, parameters={**defaults, **settings.parameters})


def _written(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield where each value stands, the parameter's name, and its text: of all servers, and of single ones."""
    for name, text in settings.parameters.items():
        yield name, name, text
    for pattern, values in settings.hosts.items():
        for name, text in values.items():
            # What a lab host is made of; the lab itself looks at it.
            if not (settings.lab and name == TRAITS):
                yield f"hosts.{pattern}.{name}", name, text
