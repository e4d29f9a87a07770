"""Kubernetes objects against the schemas that the package kubernetes-validate brings along: no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keybuzz.policy.document import Fault, Manifest, Node, Place

if TYPE_CHECKING:
    from jsonschema import ValidationError

KUBERNETES = "1.33"
"""The release of the cluster (facts/09: K3s v1.33.5)."""
_BUILT_IN = re.compile(
    r"v1|(?:apps|batch|autoscaling|policy|extensions)/v\w+"
    r"|(?:networking|rbac\.authorization|storage|scheduling|discovery|admissionregistration"
    r"|apiextensions|certificates|coordination|events|node)\.k8s\.io/v\w+"
)
"""Kinds of other groups come with their own definitions, which are not known here."""


def manifest_fault(manifest: Manifest) -> Fault | None:
    """Return the first thing that Kubernetes would refuse, or None. No value is quoted: it may be secret."""
    import kubernetes_validate as library

    data = manifest.root.plain()
    if not isinstance(data, dict) or not all(
        isinstance(data[k], str) for k in ("apiVersion", "kind")
    ):
        return Fault("apiVersion and kind are no texts", manifest.root.place)
    if not _BUILT_IN.fullmatch(manifest.api_version) or "/" in manifest.kind:
        return None
    try:
        library.validate(data, KUBERNETES, strict=True)
    except library.SchemaNotFoundError:
        place = (manifest.root.get("apiVersion") or manifest.root).place
        what = f"Kubernetes {KUBERNETES} has no {manifest.kind} in {manifest.api_version}"
        return Fault(what, place)
    except library.ValidationError as error:
        return _fault(manifest.root, error)
    return None


def _fault(root: Node, error: ValidationError) -> Fault:
    node, shown = root, ""
    for part in error.absolute_path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}"
        below = node.items[part] if isinstance(part, int) else node.get(part)
        node = below or node
    what, place = _what(error, node)
    return Fault(f"{shown.lstrip('.') or 'the object'} {what}", place)


def _what(error: ValidationError, node: Node) -> tuple[str, Place]:
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = [(key, value) for key, value in node.entries if key not in known]
        if unknown:
            return f"has the unknown key {unknown[0][0]}", unknown[0][1].key or node.place
    if error.validator == "required":
        missing = [key for key in error.validator_value if node.get(key) is None]
        return f"has no {', '.join(missing)}", node.place
    if error.validator == "type":
        wanted = error.validator_value
        return f"must be {wanted if isinstance(wanted, str) else ' or '.join(wanted)}", node.place
    return f"breaks the schema's rule {error.validator}", node.place
