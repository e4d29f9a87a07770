"""YAML files: each document is a Kubernetes object, a compose file, or settings of an application."""

from __future__ import annotations

import re

from keybuzz.policy.document import (
    Bind,
    Command,
    Document,
    Image,
    Kind,
    Manifest,
    Node,
    Place,
    Setting,
    Word,
)
from keybuzz.policy.readers.dockerfile import substituted
from keybuzz.policy.readers.images import looks_like_image, published
from keybuzz.policy.readers.settings import binds_of
from keybuzz.policy.readers.shell import read_commands, shell_document
from keybuzz.policy.readers.yaml import read_nodes

_NAMING = frozenset(
    {
        "apiVersion",
        "image",
        "kind",
        "labels",
        "matchExpressions",
        "matchLabels",
        "namespace",
        "nodeAffinity",
        "nodeSelector",
        "selector",
    }
)
"""Keys whose values name and choose things: no program connects to them."""
_COMPOSE_NAMING = _NAMING | {"container_name", "hostname", "depends_on", "ports"}


def read_yaml(path: str, text: str) -> Document:
    """Return everything that the documents of a YAML file say."""
    roots, faults = read_nodes(text)
    if faults and "{{" in text:
        return Document(path, Kind.TEXT, text)  # a template is no YAML before it is rendered
    found = Document(path, Kind.YAML, text, faults=faults)
    for root in roots:
        found = found.joined(_document(path, text, root))
    return found


def _document(path: str, text: str, root: Node) -> Document:
    if root.get("apiVersion") and root.get("kind"):
        if root.word("kind") == "List":
            parts = [_document(path, text, item) for item in root.all("items")]
            return _merged(path, text, parts)
        return _kubernetes(path, text, root)
    if any(s.get("image") or s.get("build") for _, s in _services(root)):
        return _compose(path, text, root)
    part = Document(path, Kind.YAML, text, settings=_settings(root))
    return part.joined(
        Document(
            path,
            Kind.YAML,
            text,
            images=_helm_images(root),
            binds=binds_of(part.settings),
            commands=_commands(root),
        )
    )


def _merged(path: str, text: str, parts: list[Document]) -> Document:
    found = Document(path, Kind.YAML, text)
    for part in parts:
        found = found.joined(part)
    return found


def _settings(root: Node, naming: frozenset[str] = _NAMING) -> tuple[Setting, ...]:
    """Return every text that a program may use; `NAME=value` in a list is split."""
    found = []
    for path, node in root.walk():
        if naming.intersection(path) or node.text is None:
            continue
        match = re.fullmatch(r"(?:--)?(?P<key>[A-Za-z_][\w-]*)=(?P<value>.*)", node.text, re.DOTALL)
        if match is not None and "\n" not in node.text:
            place = Place(node.place.line, node.place.column + match.start("value"))
            found.append(Setting(match["key"], match["value"], place, path))
        else:
            found.append(Setting(path[-1] if path else "", node.text, node.place, path))
    return (*_named_values(root), *found)


def _named_values(node: Node) -> tuple[Setting, ...]:
    """Return `- name: KEY` with `value: text`, as containers and Helm charts have them."""
    found: list[Setting] = []
    name, value = node.get("name"), node.get("value")
    if name is not None and value is not None and value.text is not None:
        found.append(Setting(name.text or "", value.text, value.place, ("env", "value")))
    for part in (*node.items, *(child for _, child in node.entries)):
        found += _named_values(part)
    return tuple(found)


def _commands(node: Node) -> tuple[Command, ...]:
    """Return what `command` and `args` run, of whatever depth; a text with spaces is a shell's."""
    found: tuple[Command, ...] = ()
    for key, value in node.entries:
        if key in ("command", "args", "entrypoint") and (value.items or value.text):
            found += _command(value)
        else:
            found += _commands(value)
    for item in node.items:
        found += _commands(item)
    return found


def _command(node: Node) -> tuple[Command, ...]:
    if node.text is not None:
        return read_commands(" " * (node.place.column - 1) + node.text, node.place.line)[0]
    words = tuple(Word(item.text or "", item.place) for item in node.items)
    found: tuple[Command, ...] = (Command(words),) if words and words[0].text else ()
    for item in node.items:
        if item.text and (" " in item.text or "\n" in item.text):
            found += _command(item)
    return found


def _kubernetes(path: str, text: str, root: Node) -> Document:
    manifest = Manifest(
        root.word("apiVersion"), root.word("kind"), root.word("metadata", "name"), root
    )
    settings = () if manifest.kind == "Secret" else _settings(_without_names(root))
    found = shell_document(path, Kind.YAML, text, _commands(root), settings)
    images = tuple(
        Image(image.text or "", image.place)
        for keys, image in root.walk()
        if keys[-1] == "image" and "spec" in keys and image.text
    )
    extra = Document(path, Kind.YAML, text, images=images, manifests=(manifest,))
    return found.joined(extra)


def _without_names(root: Node) -> Node:
    """Return the object without what only names it, and without the names that an Ingress serves."""
    hidden = ("metadata", "rules", "tls") if root.word("kind") == "Ingress" else ("metadata",)
    kept = tuple((key, value) for key, value in root.entries if key not in hidden)
    if root.word("kind") == "Ingress":
        kept = tuple((key, value) for key, value in kept if key != "spec")
    return Node(root.place, entries=kept)


def _services(root: Node) -> tuple[tuple[str, Node], ...]:
    found = root.get("services")
    return found.entries if found is not None else ()


def _compose(path: str, text: str, root: Node) -> Document:
    found = shell_document(path, Kind.YAML, text, _commands(root), _settings(root, _COMPOSE_NAMING))
    images: list[Image] = []
    binds: list[Bind] = []
    for name, service in _services(root):
        node = service.get("image")
        if node is not None and node.text:
            images.append(Image(substituted(node.text, {}), node.place))
        of = f"{name} {node.text if node is not None else ''}"
        binds += [bind for port in service.all("ports") for bind in _published(port, of)]
    return found.joined(Document(path, Kind.YAML, text, images=tuple(images), binds=tuple(binds)))


def _published(port: Node, of: str) -> list[Bind]:
    if port.text is not None:
        bind = published(Word(substituted(port.text, {}), port.place), of)
        return [bind] if bind is not None else []
    if port.get("published") is None:
        return []
    return [Bind(port.word("host_ip"), port.word("target"), port.place, of)]


def _helm_images(node: Node) -> tuple[Image, ...]:
    """Return `image: text` and `image: {repository, tag}` as values files have them."""
    found: tuple[Image, ...] = ()
    for key, value in node.entries:
        if key.lower().endswith("image") and looks_like_image(value.text or ""):
            found += (Image(value.text or "", value.place),)
        elif key.lower().endswith("image") and value.get("repository"):
            tag, digest = value.word("tag"), value.word("digest")
            place = (value.get("tag") or value.get("repository") or value).place
            tail = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
            found += (Image(value.word("repository") + tail, place),)
        else:
            found += _helm_images(value)
    for item in node.items:
        found += _helm_images(item)
    return found
