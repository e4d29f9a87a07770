"""From a path and a text to a Document: which kind of file it is, and who reads it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from keybuzz.policy.document import Document, Kind
from keybuzz.policy.readers.dockerfile import read_dockerfile
from keybuzz.policy.readers.haproxy import SECTIONS, read_haproxy
from keybuzz.policy.readers.manifests import read_yaml
from keybuzz.policy.readers.markdown import split
from keybuzz.policy.readers.settings import read_settings
from keybuzz.policy.readers.shell import read_shell

_SUFFIXES = {
    ".env": Kind.ENVIRONMENT,
    ".yaml": Kind.YAML,
    ".yml": Kind.YAML,
    ".dockerfile": Kind.DOCKERFILE,
    ".sh": Kind.SHELL,
    ".bash": Kind.SHELL,
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".ini": Kind.SETTINGS,
    ".conf": Kind.SETTINGS,
    ".cfg": Kind.SETTINGS,
    ".cnf": Kind.SETTINGS,
    ".properties": Kind.SETTINGS,
    ".toml": Kind.SETTINGS,
}
_LANGUAGES = {
    "dockerfile": Kind.DOCKERFILE,
    "docker": Kind.DOCKERFILE,
    "yaml": Kind.YAML,
    "yml": Kind.YAML,
    "env": Kind.ENVIRONMENT,
    "dotenv": Kind.ENVIRONMENT,
    "sh": Kind.SHELL,
    "bash": Kind.SHELL,
    "shell": Kind.SHELL,
    "console": Kind.SHELL,
    "haproxy": Kind.HAPROXY,
    "ini": Kind.SETTINGS,
    "toml": Kind.SETTINGS,
    "properties": Kind.SETTINGS,
}
_DOCKERFILE = re.compile(r"(?:.*[._-])?(?:Dockerfile|Containerfile)(?:[._-].*)?")
_SHEBANG = re.compile(r"#!\s*\S*/(?:env\s+)?(?:ba|da|k|z)?sh\b")
_SECTION = re.compile(rf"^(?:{'|'.join(SECTIONS)})\b.*\n[ \t]+\S", re.MULTILINE)


def kind_of(path: str, text: str) -> Kind:
    """Return how a file is to be read, from its name and, where that leaves a doubt, its text."""
    name = PurePosixPath(path).name
    if _DOCKERFILE.fullmatch(name):
        return Kind.DOCKERFILE
    if name.startswith(".env") or ".env." in name:
        return Kind.ENVIRONMENT
    kind = _SUFFIXES.get(PurePosixPath(name).suffix.lower(), Kind.TEXT)
    if (
        kind is Kind.SETTINGS
        and _SECTION.search(text)
        and re.search(r"(?m)^\s+mode\s|^\s+bind\s|^\s+server\s", text)
    ):
        return Kind.HAPROXY
    if kind is Kind.TEXT and _SHEBANG.match(text):
        return Kind.SHELL
    is_manifest = name.endswith(".json") and '"apiVersion"' in text and '"kind"' in text
    return Kind.YAML if is_manifest else kind


def read_document(path: str, text: str) -> Document:
    """Return what the rules see of a file. Nothing in a text makes this raise."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return _read(path, kind_of(path, text), text)


def _read(path: str, kind: Kind, text: str) -> Document:
    if kind in (Kind.ENVIRONMENT, Kind.SETTINGS):
        return read_settings(path, kind, text)
    if kind is Kind.MARKDOWN:
        return _markdown(path, text)
    readers = {
        Kind.YAML: read_yaml,
        Kind.DOCKERFILE: read_dockerfile,
        Kind.HAPROXY: read_haproxy,
        Kind.SHELL: read_shell,
    }
    return readers[kind](path, text) if kind in readers else Document(path, kind, text)


def _typed(session: str) -> str:
    """Return what was typed behind a prompt; what the programs answered becomes empty lines."""
    prompt = re.compile(r"[$#] ")
    return "\n".join(f"  {line[2:]}" if prompt.match(line) else "" for line in session.split("\n"))


def _markdown(path: str, text: str) -> Document:
    blocks, images = split(text)
    found = Document(path, Kind.MARKDOWN, text, quoted_images=images)
    for block in blocks:
        kind = _LANGUAGES.get(block.language, Kind.TEXT)
        typed = _typed(block.text) if block.language == "console" else block.text
        part = _read(path, kind, typed)
        if kind is Kind.YAML and part.faults:
            continue  # an excerpt with … in it is no file
        found = found.joined(part)
    return found
