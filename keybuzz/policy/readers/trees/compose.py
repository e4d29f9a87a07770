"""Compose files: services with their images, their environment and what they publish."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.policy.document import Bind, Document, Image, Kind, Route, Word
from keybuzz.policy.node import Node
from keybuzz.policy.readers.code.shell import shell_document
from keybuzz.policy.readers.images import published
from keybuzz.policy.readers.trees.settings import NAMING, tree_commands, tree_settings

_NAMING = NAMING | {"container_name", "hostname", "depends_on", "ports", "networks", "configs"}


def is_compose(root: Node) -> bool:
    """Return True for a document with services that have an image or are built."""
    return any(s.get("image") or s.get("build") for _, s in _services(root))


def _services(root: Node) -> tuple[tuple[str, Node], ...]:
    found = root.get("services")
    return found.entries if found is not None else ()


def compose_document(path: str, text: str, root: Node) -> Document:
    """Return what the services say, run and publish."""
    commands, given = tree_commands(root)
    kept = tuple((key, value) for key, value in root.entries if key not in ("secrets", "name"))
    settings = given + tuple(tree_settings(Node(root.place, entries=kept), _NAMING))
    images: list[Image] = []
    binds: list[Bind] = []
    routes: list[Route] = []
    for name, service in _services(root):
        node = service.get("image")
        if node is not None and node.text:
            images.append(Image(node.text, node.place))
        of = f"{name} {node.text if node is not None else ''}"
        binds += [bind for port in service.all("ports") for bind in _published(port, of)]
        routes += _labels(service, node.text or "" if node is not None else "")
    found = shell_document(path, Kind.YAML, text, commands, settings)
    part = Document(
        path,
        Kind.YAML,
        text,
        images=tuple(images),
        binds=tuple(binds),
        routes=tuple(routes),
        is_compose=True,
    )
    # What a service sets inside of its containers fills no variable of the file.
    return replace(found, variables=()).joined(part)


def _published(port: Node, of: str) -> list[Bind]:
    if port.text is not None:
        bind = published(Word(port.text, port.place), of)
        return [bind] if bind is not None else []
    if port.get("published") is None:
        return []
    return [Bind(port.word("host_ip"), port.word("target"), port.place, of)]


def _labels(service: Node, image: str) -> list[Route]:
    """Return the routes that labels of Traefik make to a service."""
    labels = service.get("labels")
    texts = [] if labels is None else [(path, node) for path, node in labels.walk()]
    return [
        Route(image, node.place)
        for path, node in texts
        if ".rule" in (path[-1] if path else node.text or "")
        and "traefik." in (path or (node.text or "",))[-1]
    ]
