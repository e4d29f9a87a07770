"""inventory/versions.yaml: the only place where an image's tag may stand (VER-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.problems import Problems, read_file
from keybuzz.site.files.round_trip import edited, in_one_line, put_last
from keybuzz.site.files.whole import put, put_over
from keybuzz.site.files.yaml_tree import Scalar, Tree, TreeReader, parse_fields
from keybuzz.site.site import Binary, ImageVersion

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

_LIMIT = 1 << 20
_REFERENCE = re.compile(r"(?:[a-z0-9._-]+/)*[a-z0-9._-]+(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WHOLE = re.compile(
    r"v?\d+\.\d+\.\d+(?:[+-][0-9A-Za-z.-]+)?|RELEASE\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z"
)
"""A release by numbers, or by the moment it was made."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"(?<![0-9.])\d+(?:\.\d+)*")
_PARTS = 3
"""Numbers of a whole version, where versions.yaml does not say that upstream counts otherwise."""
_UPSTREAM = re.compile(r"(gone|archived|frozen) since \d{4}-\d{2}(-\d{2})? \(\S[^()]*\)")


def parse_versions(content: bytes, source: str) -> dict[str, ImageVersion]:
    """Return the images by name; InputError names each floating, partial or unexplained tag."""
    problems = Problems(source)
    reader = _VersionsReader(problems)
    top = reader.fields(parse_fields(content, source), "the file", ("images",), ("binaries",))
    images = reader.entries(top["images"], "images") if top else ()
    found = {key.text: reader.image(key, value) for key, value in images}
    problems.raise_if_any()
    return found


def parse_binaries(content: bytes, source: str) -> dict[str, Binary]:
    """Return the programs that are files; InputError for a version that floats, or a sha256 that is none."""
    problems = Problems(source)
    reader = _VersionsReader(problems)
    top = reader.fields(parse_fields(content, source), "the file", ("images",), ("binaries",))
    entries = reader.entries(top["binaries"], "binaries") if "binaries" in top else ()
    found = {key.text: reader.binary(key, value) for key, value in entries}
    problems.raise_if_any()
    return found


class _VersionsReader(TreeReader):
    def binary(self, key: Scalar, tree: Tree) -> Binary:
        fields = self.fields(tree, key.text, ("version",), ("sha256", "reason"))
        version = self.text(fields["version"], "version") if fields else ""
        digest = self.text(fields["sha256"], "sha256") if "sha256" in fields else ""
        reason = self.text(fields["reason"], "reason") if "reason" in fields else ""
        if fields and not _WHOLE.fullmatch(version):
            self.problems.add(
                key.line,
                f"{key.text} {version} floats (VER-1)",
                "write the whole version, such as v1.33.5",
            )
        if digest and not DIGEST.fullmatch(f"sha256:{digest}"):
            self.problems.add(
                key.line, f"{key.text} has a sha256 that is none", "64 hexadecimal digits"
            )
        return Binary(key.text, version, f"sha256:{digest}" if digest else "", key.line, reason)

    def image(self, key: Scalar, tree: Tree) -> ImageVersion:
        optional = ("reference", "reason", "digest", "version_parts", "upstream")
        fields = self.fields(tree, key.text, ("frozen",), optional)
        frozen = self.text(fields["frozen"], "frozen") if fields else ""
        reference = self.text(fields["reference"], "reference") if "reference" in fields else frozen
        reason = self.text(fields["reason"], "reason") if "reason" in fields else ""
        digest = self.text(fields["digest"], "digest") if "digest" in fields else ""
        upstream = self.text(fields["upstream"], "upstream") if "upstream" in fields else ""
        if fields:
            self._judge(key, frozen, reference, reason)
            self._judge_tag(key, reference, self._parts(key, fields))
        if upstream and not _UPSTREAM.fullmatch(upstream):
            self.problems.add(
                key.line,
                f"{key.text} has an upstream that cannot be read: {upstream}",
                "write gone, archived or frozen, since when, and the source: gone since 2026-09-12 (where to read it)",
            )
        if digest and not DIGEST.fullmatch(digest):
            self.problems.add(
                key.line, f"{key.text} has a digest that is none", "kbz versions lock writes it"
            )
        return ImageVersion(key.text, frozen, reference, reason, key.line, digest, upstream)

    def _parts(self, key: Scalar, fields: dict[str, Tree]) -> int:
        """Return how many numbers a release of this upstream has."""
        text = (
            self.text(fields["version_parts"], "version_parts") if "version_parts" in fields else ""
        )
        if text not in ("", "2", "3", "4"):
            self.problems.add(
                key.line,
                f"version_parts of {key.text} is {text}",
                "write 2, 3 or 4, or leave it out",
            )
            return _PARTS
        return int(text or _PARTS)

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

    def _judge_tag(self, key: Scalar, reference: str, parts: int) -> None:
        """A tag whose first number is not a whole version moves with each release: 7.2-alpine, 2.8."""
        name, _, tag = reference.rpartition(":")
        if not name or tag == "latest" or _DATE.search(tag):
            return
        number = _NUMBER.search(tag)
        if number is None or number[0].count(".") + 1 < parts:
            self.problems.add(
                key.line,
                f"{reference} has a partial tag (VER-1)",
                "write the whole version, such as 7.2.5-alpine (where upstream has two numbers: version_parts: 2)",
            )


def lock_file(source: Path, target: Path, digests: Mapping[str, str]) -> None:
    """Write versions.yaml with digests, at once; InputError when a comment would be lost, and nothing is written."""
    after = with_digests(read_file(source, _LIMIT), digests, str(source))
    if target == source:
        put_over(source, after)
    else:
        put(target, after, 0o644)


def with_digests(
    content: bytes, digests: Mapping[str, str], source: str = "versions.yaml"
) -> bytes:
    """Return versions.yaml with the digest of each named image; every other line and comment stays as it is."""
    known = parse_versions(content, source)

    def change(tree: CommentedMap) -> None:
        for name, digest in digests.items():
            if name in known:
                entry = tree["images"][name]
                put_last(entry, "digest", in_one_line(digest) if entry.fa.flow_style() else digest)

    after = edited(content, source, change)
    found = parse_versions(after, source)
    if any(found[name].digest != digest for name, digest in digests.items() if name in known):
        raise InputError(
            "cannot take digests in this form",
            where=source,
            hint="write each image as a block: its name, and its keys below it",
        )
    return after


@dataclass(frozen=True, slots=True)
class Entry:
    """What is used of an image instead of its frozen value; an empty text is a field that is not there."""

    reference: str = ""
    reason: str = ""
    digest: str = ""

    @classmethod
    def of(cls, version: ImageVersion) -> Entry:
        """Return what versions.yaml says of an image now."""
        overrides = version.reference != version.frozen
        return cls(version.reference if overrides else "", version.reason, version.digest)


def with_entries(
    content: bytes, entries: Mapping[str, Entry], source: str = "versions.yaml"
) -> bytes:
    """Return versions.yaml with other entries of these images; every other line and comment stays as it is."""

    def change(tree: CommentedMap) -> None:
        for name, wanted in entries.items():
            entry = tree["images"][name]
            for key in ("reference", "reason", "digest"):
                value = getattr(wanted, key)
                if value:
                    put_last(entry, key, in_one_line(value) if entry.fa.flow_style() else value)
                elif key in entry:
                    del entry[key]

    after = edited(content, source, change)
    found = parse_versions(after, source)
    if any(Entry.of(found[name]) != wanted for name, wanted in entries.items()):
        raise InputError(
            "cannot take another reference in this form",
            where=source,
            hint="write each image as a block: its name, and its keys below it",
        )
    return after
