"""Templates to contents: nornir-jinja2 with one cached environment, strict, and blind to secrets.

A secret enters a template as a token; the rendered text is split at the tokens, so that its clear value is never
part of any string here. The filter `quoted` makes a JSON string of a value, secret or not: YAML reads it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.model.core.content import Content, Part, QuotedSecret, Template, quoted
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.resource import Resource, Templated
from keybuzz.model.core.secret import MASK, Secret
from keybuzz.model.host.files import File

if TYPE_CHECKING:
    from jinja2 import Environment
    from nornir.core.task import Task

_TOKEN = re.compile("\ue000([A-Za-z0-9_]+)(:quoted)?\ue001")


class _Token(str):
    """Stands for a secret while a template is rendered."""

    __slots__ = ()


def _quoted(value: object) -> str:
    if isinstance(value, _Token):
        return value.replace("\ue001", ":quoted\ue001")
    return quoted(value)


@lru_cache(maxsize=32)
def environment(folder: Path) -> Environment:
    """Return the one environment of a template folder: an undefined name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters["quoted"] = _quoted
    return made


def _with_tokens(value: object, hide: Callable[[Secret], _Token]) -> object:
    """Return a value, secrets in tuples, lists and mappings as tokens; TypeError where that cannot be."""
    if isinstance(value, Secret):
        return hide(value)
    if type(value) is tuple:
        return tuple(_with_tokens(item, hide) for item in value)
    if isinstance(value, list):
        return [_with_tokens(item, hide) for item in value]
    if isinstance(value, Mapping):
        return {name: _with_tokens(item, hide) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _without_secrets(value, [getattr(value, item.name) for item in fields(value)])
    if isinstance(value, tuple | set | frozenset):
        return _without_secrets(value, value)
    return value


def _without_secrets(value: object, inside: Iterable[object]) -> object:
    """Return a value of a shape that is not rebuilt, which therefore must hold no secret."""

    def refuse(secret: Secret) -> _Token:
        raise TypeError(f"{secret.name} stands inside of a {type(value).__name__}")

    for item in inside:
        _with_tokens(item, refuse)
    return value


def require_unmasked(template: Template, content: Content) -> None:
    """A mask in the text is a secret that was made a text on its way: InputError before it is written anywhere."""
    if any(isinstance(part, str) and MASK in part for part in content.parts):
        raise InputError(
            "a secret was made a text before it came to the template, and is its mask there",
            where=str(template.folder / template.name),
            hint="hand the Secret itself to the template",
        )


def variables(template: Template) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Return the names for the template, secrets as tokens wherever they stand, and the secrets by token.

    InputError for a secret inside of a value that cannot be rebuilt: the template would get its mask.
    """
    secrets: dict[str, Secret] = {}

    def hide(secret: Secret) -> _Token:
        token = str(len(secrets))
        secrets[token] = secret
        return _Token(f"\ue000{token}\ue001")

    names: dict[str, Any] = {}
    for field in fields(template.values):
        try:
            names[field.name] = _with_tokens(getattr(template.values, field.name), hide)
        except TypeError as error:
            raise InputError(
                f"{field.name}: {error}, where the template would get its mask",
                where=str(template.folder / template.name),
                hint="make it a field of its own, or part of a tuple, list or mapping",
            ) from error
    return names, secrets


def split(text: str, secrets: dict[str, Secret]) -> Content:
    """Return the rendered text with its tokens turned into secrets."""
    parts: list[Part] = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[position : match.start()])
        secret = secrets[match[1]]
        parts.append(QuotedSecret(secret) if match[2] else secret)
        position = match.end()
    parts.append(text[position:])
    return Content(tuple(part for part in parts if part != ""))


def render(task: Task, template: Template) -> Content:
    """Render one template for one host, by nornir-jinja2."""
    from nornir_jinja2.plugins.tasks import template_file

    names, secrets = variables(template)
    result = template_file(
        task,
        template=template.name,
        path=str(template.folder),
        jinja_env=environment(template.folder),
        **names,
    )
    content = split(str(result.result), secrets)
    require_unmasked(template, content)
    return content


def rendered(task: Task, resource: Resource) -> Resource:
    """Return the resource with its template rendered, if it has one."""
    if isinstance(resource, File) and isinstance(resource.content, Template):
        return replace(resource, content=render(task, resource.content))
    if isinstance(resource, Templated) and resource.template is not None:
        return resource.made_of(render(task, resource.template).reveal())
    return resource
