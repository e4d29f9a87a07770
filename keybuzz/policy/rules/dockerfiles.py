"""KBZ-2: an image that can be built."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.context import Context
from keybuzz.policy.document import Build, Command, Document
from keybuzz.policy.violation import Found, Rule, each

_MANAGERS = {"apt-get": "Debian", "apt": "Debian", "dpkg": "Debian", "apk": "Alpine"}
_MANAGERS |= dict.fromkeys(("yum", "dnf", "microdnf"), "Red Hat")
_FAMILIES = (
    (re.compile(r"alpine"), "Alpine"),
    (re.compile(r"bookworm|bullseye|trixie|buster|slim|jammy|noble|debian|ubuntu"), "Debian"),
    (re.compile(r"\bubi\d|rockylinux|almalinux|fedora|centos"), "Red Hat"),
)


def _judge_build(document: Document, context: Context) -> Iterator[Found]:
    """KBZ-2."""
    del context
    for build in document.builds:
        for base, command in _managers(document, build):
            manager = command.name
            message = (
                f"{manager} is the package manager of {_MANAGERS[manager]}, and {base} has none"
            )
            yield Found(document.path, command.words[0].place, manager, message)


def _managers(document: Document, build: Build) -> Iterator[tuple[str, Command]]:
    """Yield the first command of each RUN that is a package manager of another family than the base."""
    bases = {image.place.line: image.reference for image in document.images}
    stages: dict[str, str] = {}
    base = ""
    for item in build.instructions:
        if item.name == "FROM":
            words = [word for word in item.text.split() if not word.startswith("--")]
            base = bases.get(item.place.line, stages.get(words[0].lower(), "") if words else "")
            if len(words) > 2:
                stages[words[2].lower()] = base
        for command in item.commands if item.name == "RUN" else ():
            family = _family(base)
            if family and _MANAGERS.get(command.name, family) != family:
                yield base, command
                break


def _family(base: str) -> str:
    return next((family for pattern, family in _FAMILIES if pattern.search(base)), "")


KBZ_2 = Rule(
    id="KBZ-2",
    title="A Dockerfile can be built as it is written",
    why="A package manager of another distribution ends the build, on the day when the image is needed.",
    instead="take a base that has the package manager, such as …-bookworm for apt-get, or the base's own",
    applies_to="RUN in Dockerfiles, and in Dockerfiles inside Markdown, against the base of its stage.",
    judge=each(_judge_build),
)
