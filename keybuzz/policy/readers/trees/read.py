"""A YAML, JSON, TOML or HCL file: each document is an object of Kubernetes, a compose file, or settings."""

from __future__ import annotations

import re
from dataclasses import replace

from keybuzz.policy.document import Document, Fault, Image, Kind
from keybuzz.policy.node import Node
from keybuzz.policy.readers.text import read_unknown
from keybuzz.policy.readers.trees.compose import compose_document, is_compose
from keybuzz.policy.readers.trees.gateways import gateway_routes
from keybuzz.policy.readers.trees.hcl import read_hcl
from keybuzz.policy.readers.trees.json import read_json
from keybuzz.policy.readers.trees.kubernetes import kubernetes_document
from keybuzz.policy.readers.trees.pipelines import (
    is_kustomization,
    is_pipeline,
    kustomization_images,
    pipeline_document,
)
from keybuzz.policy.readers.trees.settings import tree_document
from keybuzz.policy.readers.trees.toml import read_toml
from keybuzz.policy.readers.trees.traefik import traefik_routes
from keybuzz.policy.readers.trees.yaml import read_nodes

_TEMPLATE = re.compile(r"\{\{|\{%|<%")
_READERS = {Kind.JSON: read_json, Kind.TOML: read_toml, Kind.HCL: read_hcl}


def read_yaml(path: str, text: str) -> Document:
    """Return everything that the documents of a YAML file say."""
    roots, faults = read_nodes(text)
    if not roots and faults and _TEMPLATE.search(text):
        return read_unknown(path, text, "is a template: check what it renders")
    if not roots and faults:
        return replace(read_unknown(path, text, ""), kind=Kind.YAML, faults=faults)
    return replace(_documents(path, Kind.YAML, text, roots), faults=faults)


def read_tree(path: str, kind: Kind, text: str) -> Document:
    """Return what a JSON, TOML or HCL file says; where it is broken, its lines are searched too."""
    roots, faults = _READERS[kind](text)
    found = _documents(path, kind, text, roots)
    if not faults:
        return found
    why = f"is no {kind.value} that can be read"
    return found.joined(read_unknown(path, text, _said(faults, why)))


def _said(faults: tuple[Fault, ...], why: str) -> str:
    return f"{why} (line {faults[0].place.line})"


def _documents(path: str, kind: Kind, text: str, roots: tuple[Node, ...]) -> Document:
    if is_pipeline(path):
        return pipeline_document(path, text, roots)
    found = Document(path, kind, text)
    for root in roots:
        found = found.joined(_document(path, kind, text, root))
    return found


def _document(path: str, kind: Kind, text: str, root: Node) -> Document:
    if is_kustomization(path, root):
        images: tuple[Image, ...] = tuple(kustomization_images(root))
        kept = tuple((key, value) for key, value in root.entries if key != "images")
        part = tree_document(path, kind, text, (Node(root.place, entries=kept),))
        return part.joined(Document(path, kind, text, images=images))
    if root.get("apiVersion") and root.get("kind"):
        return kubernetes_document(path, kind, text, root)
    if is_compose(root):
        return compose_document(path, text, root)
    part = tree_document(path, kind, text, (root,))
    routes = (*traefik_routes(root), *gateway_routes(root))
    return part.joined(Document(path, kind, text, routes=routes))
