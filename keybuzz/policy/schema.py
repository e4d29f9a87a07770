"""Kubernetes objects against the schemas that the package kubernetes-validate ships: no network."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from keybuzz.policy.document import Fault, Manifest
from keybuzz.policy.node import Node, Place

if TYPE_CHECKING:
    from jsonschema import ValidationError

KUBERNETES = "1.33"
"""The release of the cluster (facts/09)."""
_BUILT_IN = re.compile(
    r"v1|(?:apps|batch|autoscaling|policy|extensions)/v\w+"
    r"|(?:networking|rbac\.authorization|storage|scheduling|discovery|admissionregistration"
    r"|apiextensions|certificates|coordination|events|node)\.k8s\.io/v\w+"
)
"""Kinds of other groups come with their own definitions, which are not known here."""


def manifest_faults(manifest: Manifest) -> tuple[Fault, ...]:
    """Return everything that Kubernetes would refuse. No value is quoted: it may be secret."""
    data = manifest.root.plain()
    if not isinstance(data, dict) or not all(
        isinstance(data[k], str) for k in ("apiVersion", "kind")
    ):
        return (Fault("apiVersion and kind are no texts", manifest.root.place),)
    if not _BUILT_IN.fullmatch(manifest.api_version) or not re.fullmatch(r"\w+", manifest.kind):
        return ()
    validator = _validator(manifest.kind, manifest.api_version)
    if validator is None:
        place = (manifest.root.get("apiVersion") or manifest.root).place
        what = f"Kubernetes {KUBERNETES} has no {manifest.kind} in {manifest.api_version}"
        return (Fault(what, place),)
    return tuple(
        fault for error in validator.iter_errors(data) for fault in _faults(manifest.root, error)
    )


@cache
def _validator(kind: str, api_version: str) -> Any:  # the libraries have no types
    """Return what judges the objects of one kind, or None when Kubernetes has no such kind."""
    from jsonschema.validators import Draft202012Validator
    from kubernetes_validate import utils as library

    version = next(v for v in reversed(library.all_versions()) if v.startswith(f"{KUBERNETES}."))
    short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    name = f"kubernetes-json-schema/v{version}-local-strict/{kind.lower()}-{short}.json"
    try:
        schema = library.schema_contents(name, KUBERNETES)
    except FileNotFoundError:
        return None
    return Draft202012Validator(schema, registry=_registry(version))


@cache
def _registry(version: str) -> Any:
    """Return the definitions that all schemas refer to; they are large, and read once."""
    from kubernetes_validate import utils as library
    from referencing import Registry, Resource

    name = f"kubernetes-json-schema/v{version}-local-strict/_definitions.json"
    contents = library.schema_contents(name, KUBERNETES)
    return Resource.from_contents(contents) @ Registry()


def _faults(root: Node, error: ValidationError) -> list[Fault]:
    node, shown = root, ""
    for part in error.absolute_path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
        below = node.items[part] if isinstance(part, int) else node.get(part)
        node = below or node
    name = shown.lstrip(".") or "the object"
    return [Fault(f"{name} {what}", place) for what, place in _what(error, node)]


def _what(error: ValidationError, node: Node) -> list[tuple[str, Place]]:
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = [(key, value) for key, value in node.entries if key not in known]
        if unknown:
            return [
                (f"has the unknown key {key}", value.key or node.place) for key, value in unknown
            ]
    if error.validator == "required":
        missing = [key for key in error.validator_value if node.get(key) is None]
        return [(f"has no {', '.join(missing)}", node.place)]
    if error.validator == "type":
        wanted = error.validator_value
        return [
            (f"must be {wanted if isinstance(wanted, str) else ' or '.join(wanted)}", node.place)
        ]
    return [(f"breaks the schema's rule {error.validator}", node.place)]
