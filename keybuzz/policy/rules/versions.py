"""VER-1: no `latest`, no partial tag, anywhere. VER-2: a frozen program only in its frozen version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from keybuzz.policy.context import Context
from keybuzz.policy.document import Command, Document, Image, Kind, Setting, Word
from keybuzz.policy.resolve import Resolution, expanded
from keybuzz.policy.violation import Edit, Found, Rule

_WHOLE = re.compile(r"\d+\.\d+\.\d+|\d{4}[-.]?\d{2}[-.]?\d{2}|(?=[a-f]*\d)\b[0-9a-f]{7,64}\b")
"""Three numbers, a day, or a commit."""
_TWO_NUMBERS = frozenset({"postgres", "postgis", "ubuntu", "debian"})
"""Programs whose whole version has two numbers."""
_REFERENCE = re.compile(r"[\w${}.:/@?+-]+", re.ASCII)
_FLOATING_URL = re.compile(r"https?://\S*/latest(?:/\S*)?(?=$|[\s\"'])")


def floating(reference: str, accepted: frozenset[str] = frozenset()) -> str | None:
    """Return why a reference does not name one image for ever, or None when it does.

    A tag that is a variable without a default is for its value's file to answer; `accepted` stands in versions.yaml.
    """
    reference = reference.removeprefix("docker://")
    if reference in accepted or not _REFERENCE.fullmatch(reference):
        return None
    name, _, digest = reference.partition("@")
    repository, tag = _parts(name)
    if tag == "latest":
        return "has the tag latest"
    if digest or "$" in tag or (not tag and "$" in repository.rpartition("/")[2]):
        return None
    if not tag:
        return "has no tag, which means latest"
    return None if _is_whole(repository, tag) else f"has the partial tag {tag}, which moves"


def _parts(name: str) -> tuple[str, str]:
    """Return repository and tag; the colon of a registry's port or inside `${…}` is none of a tag."""
    last = name.rpartition("/")[2]
    bare = re.sub(r"\$\{[^}]*\}", lambda match: "$" * len(match[0]), last)
    position = bare.find(":")
    if position < 0:
        return name, ""
    return name[: len(name) - len(last) + position], last[position + 1 :]


def _is_whole(repository: str, tag: str) -> bool:
    if _WHOLE.search(tag):
        return True
    return repository.rpartition("/")[2] in _TWO_NUMBERS and bool(re.search(r"\d+\.\d+", tag))


def _judge(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    accepted = frozenset(version.reference for version in context.versions.values())
    resolution = Resolution(documents)
    told = _images_of_settings(documents)
    used: set[str] = set()
    for document in documents:
        for image in document.images + document.quoted_images:
            reference, brought = _reference(document, image, resolution)
            used.update(_names(image.reference))
            if reference != image.reference and brought in told:
                continue  # told where the variable is set
            why = floating(reference, accepted)
            if why is not None:
                yield _floats(document, image, reference, why, context)
        for command in document.commands:
            yield from _downloads(document, command)
        for build in document.builds:
            for item in build.named("RUN"):
                for command in item.commands:
                    yield from _packages(document, command)
    yield from _unused_tags(documents, used)


def _reference(
    document: Document, image: Image, resolution: Resolution
) -> tuple[str, Setting | None]:
    """Return a reference with its variables filled, and the variable that is all of it."""
    value = expanded(image.reference.removeprefix("docker://"), resolution.of(document))
    origins = set(value.origins)
    origin = origins.pop() if len(origins) == 1 else None
    return value.text, origin


def _images_of_settings(documents: Sequence[Document]) -> set[Setting]:
    """Return the settings that hold a whole reference, and are judged as such."""
    return {
        setting
        for document in documents
        for places in ({image.place for image in document.images},)
        for setting in document.settings
        if setting.place in places
    }


def _names(reference: str) -> set[str]:
    return set(re.findall(r"\$[{(]?(\w+)", reference))


def _floats(document: Document, image: Image, reference: str, why: str, context: Context) -> Found:
    frozen = _frozen_version(reference, context)
    instead = f"write {frozen}" if frozen else ""
    old = image.reference
    edits: tuple[Edit, ...] = ()
    if frozen and image.is_tag:
        tag, new = _parts(old)[1], _parts(frozen)[1]
        same = _parts(old)[0] == _parts(frozen)[0]
        edits = (Edit(document.path, image.place, tag, new),) if same else ()
    elif frozen and "$" not in old:
        edits = (Edit(document.path, image.place, old, frozen),)
    excerpt = _parts(reference)[1] if image.is_tag else reference
    return Found(document.path, image.place, excerpt, f"the image {why}", instead, edits)


_TAG = re.compile(r"(?:^|_)(?:TAG|VERSION)$")


def _unused_tags(documents: Sequence[Document], used: set[str]) -> Iterator[Found]:
    """Yield the versions of an environment file that say latest, where no image of the check refers to them."""
    for document in documents:
        if document.kind is not Kind.ENVIRONMENT:
            continue
        for setting in document.settings:
            if _TAG.search(setting.key) and setting.value == "latest" and setting.key not in used:
                message = f"{setting.key} is latest, which moves"
                yield Found(document.path, setting.place, f"{setting.key}=latest", message)


def _frozen_version(reference: str, context: Context) -> str:
    """Return the frozen version of the same image, or ""."""
    repository = _parts(reference.partition("@")[0])[0].removeprefix("library/")
    for version in context.versions.values():
        for known in (version.frozen, version.reference):
            if _parts(known)[0] == repository:
                return version.reference
    return ""


def _downloads(document: Document, command: Command) -> Iterator[Found]:
    for word in command.words:
        match = _FLOATING_URL.search(word.text)
        if match is not None:
            message = "the download is whatever is latest on that day"
            instead = "write the address of one version, and compare its checksum"
            yield Found(document.path, word.place, match[0], message, instead)


def _packages(document: Document, command: Command) -> Iterator[Found]:
    """Yield what pip installs into an image without a version."""
    for word in pip_packages(command):
        if not re.search(r"[=@$<>]", word.text):
            message = f"pip installs {word.text} in whatever version is newest"
            yield Found(document.path, word.place, word.text, message, f"write {word.text}==1.2.3")


_WITH_VALUE = frozenset(
    (
        *(
            "-C",
            "-c",
            "-e",
            "-f",
            "-i",
            "-r",
            "-t",
            "--abi",
            "--build-constraint",
            "--cache-dir",
            "--cert",
        ),
        *("--client-cert", "--config-settings", "--constraint", "--editable", "--exists-action"),
        *("--extra-index-url", "--find-links", "--global-option", "--group", "--implementation"),
        *(
            "--index-url",
            "--keyring-provider",
            "--log",
            "--no-binary",
            "--only-binary",
            "--platform",
        ),
        *("--prefix", "--progress-bar", "--proxy", "--python", "--python-version", "--report"),
        *(
            "--requirement",
            "--retries",
            "--root",
            "--root-user-action",
            "--src",
            "--target",
            "--timeout",
        ),
        *("--trusted-host", "--upgrade-strategy", "--use-deprecated", "--use-feature"),
    )
)
"""Options of `pip install` whose value is the next word (pip's own help)."""


def pip_packages(command: Command) -> tuple[Word, ...]:
    """Return the packages that `pip install` names; files and folders are none."""
    texts = command.texts
    is_pip = re.fullmatch(r"pip[\d.]*", command.name) or texts[1:3] == ("-m", "pip")
    if not is_pip or "install" not in texts:
        return ()
    found = []
    for position, word in enumerate(
        command.words[texts.index("install") + 1 :], texts.index("install")
    ):
        plain = not word.text.startswith(("-", ".", "/", "git+", "http"))
        if plain and texts[position] not in _WITH_VALUE:
            found.append(word)
    return tuple(found)


VER_1 = Rule(
    id="VER-1",
    title="Versions are whole and frozen: no latest, no partial tag",
    why="A tag that moves gives two hosts two programs, and the same file another program tomorrow."
    " The live park runs 7.4 of a program that is frozen at 7.2.5, because of `7-alpine`.",
    instead="the whole version, such as 7.2.5-alpine, or a digest; what inventory/versions.yaml lists"
    " is used as it stands there",
    applies_to="images in compose files, manifests, kustomizations, values files of Helm (an empty tag is the"
    " chart's), Dockerfiles, CI files, shell (docker pull, kubectl set image, helm --set), Terraform, Quadlet and"
    " settings named …IMAGE, with their variables filled; `name:latest` as code in Markdown; packages that a"
    " Dockerfile installs with pip; downloads from …/latest/….",
    judge=_judge,
)


def _judge_frozen(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    """Yield whole versions of frozen programs that are not the frozen ones; what floats is VER-1's."""
    accepted = {
        known
        for version in context.versions.values()
        for known in (version.frozen, version.reference)
    }
    resolution = Resolution(documents)
    for document in documents:
        for image in document.images:
            reference, _ = _reference(document, image, resolution)
            name = reference.partition("@")[0]
            repository, tag = _parts(name)
            # The base of a database image is for PG-2, which knows why it must be that one.
            base = bool(document.builds) and repository == "postgres"
            if name in accepted or not tag or "$" in tag or base or floating(reference):
                continue
            frozen = _frozen_version(reference, context)
            if frozen:
                message = f"{repository} is frozen, and {tag} is another version"
                yield Found(document.path, image.place, reference, message, f"write {frozen}")


VER_2 = Rule(
    id="VER-2",
    title="A frozen program runs in its frozen version",
    why="An application that tests against another version than the park runs finds out in production; a newer one"
    " also writes data that the frozen one cannot read.",
    instead="the version that inventory/versions.yaml lists; another one is the owner's decision, written there as"
    " reference: with its reason:",
    applies_to="images in compose files, manifests, values files, Dockerfiles, shell and settings named"
    " …IMAGE, of a repository that versions.yaml lists. In versions.yaml itself an override without a reason"
    " stops kbz.",
    judge=_judge_frozen,
)
