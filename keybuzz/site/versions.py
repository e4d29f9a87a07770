"""inventory/versions.yaml: the only place where an image's tag may stand (VER-1)."""

from __future__ import annotations

import re

from keybuzz.site.problems import Problems
from keybuzz.site.site import ImageVersion
from keybuzz.site.yaml_tree import Scalar, Tree, TreeReader, parse_fields

_REFERENCE = re.compile(r"(?:[a-z0-9._-]+/)*[a-z0-9._-]+(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?")
_NUMBER = re.compile(r"\d+\.\d+|\d{4}-\d{2}-\d{2}")


def parse_versions(content: bytes, source: str) -> dict[str, ImageVersion]:
    """Return the images by name; InputError names each floating, partial or unexplained tag."""
    problems = Problems(source)
    reader = _VersionsReader(problems)
    top = reader.fields(parse_fields(content, source), "the file", ("images",))
    images = reader.entries(top["images"], "images") if top else ()
    found = {key.text: reader.image(key, value) for key, value in images}
    problems.raise_if_any()
    return found


class _VersionsReader(TreeReader):
    def image(self, key: Scalar, tree: Tree) -> ImageVersion:
        fields = self.fields(tree, key.text, ("frozen",), ("reference", "reason"))
        frozen = self.text(fields["frozen"], "frozen") if fields else ""
        reference = self.text(fields["reference"], "reference") if "reference" in fields else frozen
        reason = self.text(fields["reason"], "reason") if "reason" in fields else ""
        if fields:
            self._judge(key, frozen, reference, reason)
        return ImageVersion(key.text, frozen, reference, reason, key.line)

    def _judge(self, key: Scalar, frozen: str, reference: str, reason: str) -> None:
        if reference != frozen and not reason:
            self.problems.add(
                key.line, f"{key.text} overrides its frozen value without a reason", "add reason: …"
            )
        if not _REFERENCE.fullmatch(reference):
            self.problems.add(key.line, f"{reference} is no image reference", "write name:tag")
            return
        name, _, tag = reference.rpartition(":")
        if not name or tag == "latest":
            self.problems.add(
                key.line, f"{reference} floats (VER-1)", "write the exact version as tag"
            )
        elif not _NUMBER.search(tag):
            self.problems.add(
                key.line,
                f"{reference} has a partial tag (VER-1)",
                "write the whole version, such as 7.2.5-alpine",
            )
