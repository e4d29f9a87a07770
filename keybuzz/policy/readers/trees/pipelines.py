"""CI files of GitLab and GitHub: images, variables and scripts; kustomizations: images that are set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Document, Image, Kind, Setting
from keybuzz.policy.node import Node
from keybuzz.policy.readers.trees.settings import tree_document

_GITLAB = re.compile(r"(?:^|/)(?:.*\.)?\.?gitlab-ci[\w.-]*\.ya?ml$|(?:^|/)\.gitlab/ci/")
_GITHUB = re.compile(r"(?:^|/)\.(?:github|forgejo|gitea)/workflows/|(?:^|/)action\.ya?ml$")


def is_pipeline(path: str) -> bool:
    """Return True for the files of CI, by their names."""
    return bool(_GITLAB.search(path) or _GITHUB.search(path))


def pipeline_document(path: str, text: str, roots: tuple[Node, ...]) -> Document:
    """Return what the jobs run, and upon which images."""
    found = tree_document(path, Kind.YAML, text, roots)
    images = tuple(image for root in roots for image in _images(root))
    variables = tuple(setting for root in roots for setting in _variables(root))
    return found.joined(Document(path, Kind.YAML, text, images=images, variables=variables))


def _images(root: Node) -> Iterator[Image]:
    for _, node in root.mappings():
        for key, value in node.entries:
            if key in ("image", "container"):
                yield from _image(value)
            elif key == "services":
                for service in (*value.items, *(item for _, item in value.entries)):
                    yield from _image(service)
            elif key == "uses" and (value.text or "").startswith("docker://"):
                yield from _image(value)


def _image(node: Node) -> Iterator[Image]:
    named = node if node.text is not None else node.get("name") or node.get("image")
    if named is not None and named.text:
        yield Image(named.text, named.place)


def _variables(root: Node) -> Iterator[Setting]:
    for _, node in root.mappings():
        for key, value in node.entries:
            if key in ("variables", "env"):
                for name, text in value.entries:
                    given = text if text.text is not None else text.get("value")
                    if given is not None and given.text is not None:
                        yield Setting((name,), given.text, given.place)


def is_kustomization(path: str, root: Node) -> bool:
    """Return True for a kustomization, by its name or its kind."""
    name = path.rpartition("/")[2]
    return name in ("kustomization.yaml", "kustomization.yml", "Kustomization") or root.word(
        "kind"
    ) in ("Kustomization", "Component")


def kustomization_images(root: Node) -> Iterator[Image]:
    """Yield the images that a kustomization sets."""
    for item in root.all("images"):
        name = item.word("newName") or item.word("name")
        tag, given = item.get("newTag"), item.get("newName")
        if item.word("digest"):
            continue
        if tag is not None and tag.text:
            yield Image(f"{name}:{tag.text}", tag.place, is_tag=True)
        elif given is not None and ":" in (given.text or ""):
            yield Image(given.text or "", given.place)
