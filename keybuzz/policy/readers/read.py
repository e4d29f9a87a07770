"""From a path and a text to a Document: which kind of file it is, and who reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from keybuzz.policy.document import Document, Kind
from keybuzz.policy.readers.code.dockerfile import read_dockerfile
from keybuzz.policy.readers.code.groovy import read_groovy
from keybuzz.policy.readers.code.makefile import read_makefile
from keybuzz.policy.readers.code.shell import read_shell
from keybuzz.policy.readers.code.source import read_source
from keybuzz.policy.readers.kinds import LANGUAGES, OTHER_LANGUAGES, SUFFIXES, kind_of
from keybuzz.policy.readers.lines.arrows import read_arrows
from keybuzz.policy.readers.lines.blocks import read_blocks
from keybuzz.policy.readers.lines.crontab import read_crontab
from keybuzz.policy.readers.lines.environment import read_environment
from keybuzz.policy.readers.lines.haproxy import read_haproxy
from keybuzz.policy.readers.lines.ini import read_settings
from keybuzz.policy.readers.lines.libconfig import read_libconfig
from keybuzz.policy.readers.lines.tagged import read_tagged
from keybuzz.policy.readers.lines.unit import read_unit
from keybuzz.policy.readers.markdown import split
from keybuzz.policy.readers.text import read_code, read_unknown
from keybuzz.policy.readers.trees.read import read_tree, read_yaml
from keybuzz.policy.readers.trees.xml import read_xml

_TREES = (Kind.JSON, Kind.TOML, Kind.HCL)
_READERS: dict[Kind, Callable[[str, str], Document]] = {
    Kind.ARROWS: read_arrows,
    Kind.CRONTAB: read_crontab,
    Kind.DOCKERFILE: read_dockerfile,
    Kind.ENVIRONMENT: read_environment,
    Kind.GROOVY: read_groovy,
    Kind.HAPROXY: read_haproxy,
    Kind.LIBCONFIG: read_libconfig,
    Kind.MAKEFILE: read_makefile,
    Kind.SETTINGS: read_settings,
    Kind.SHELL: read_shell,
    Kind.TAGGED: read_tagged,
    Kind.UNIT: read_unit,
    Kind.XML: read_xml,
    Kind.YAML: read_yaml,
}
_NICKNAMES = {
    "docker": "dockerfile",
    "dotenv": "env",
    "bash": "sh",
    "shell": "sh",
    "zsh": "sh",
    "console": "sh",
    "javascript": "js",
    "typescript": "ts",
    "python": "py",
    "ruby": "rb",
    "golang": "go",
    "terraform": "tf",
    "systemd": "service",
    "caddyfile": "caddy",
}
"""Languages of blocks in Markdown, to the suffix that files of it have."""


def read_document(path: str, text: str) -> Document:
    """Return what the rules see of a file. Nothing in a text makes this raise."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    kind, language = kind_of(path, text)
    try:
        return _read(path, kind, text, language)
    except RecursionError:
        return Document(path, Kind.UNKNOWN, text, unjudged="is nested too deeply")


def _read(path: str, kind: Kind, text: str, language: str) -> Document:
    if kind is Kind.MARKDOWN:
        return _markdown(path, text)
    if kind is Kind.CODE:
        return read_source(path, text, language)
    if kind is Kind.BLOCKS:
        return read_blocks(path, text, ends_with_line="addy" in PurePosixPath(path).name)
    if kind in _TREES:
        return read_tree(path, kind, text)
    if kind is Kind.PROSE:
        return Document(path, kind, text)
    if kind is Kind.UNKNOWN:
        is_code = PurePosixPath(path).suffix.lower() in OTHER_LANGUAGES
        return (read_code if is_code else read_unknown)(path, text, _no_reader(path))
    return _READERS[kind](path, text)


def _no_reader(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return f"no reader for {suffix or 'this kind of file'}: only searched for addresses and secrets"


def _typed(session: str) -> str:
    """Return what was typed behind a prompt; what the programs answered becomes empty lines."""
    prompt = re.compile(r"[$#] ")
    return "\n".join(f"  {line[2:]}" if prompt.match(line) else "" for line in session.split("\n"))


def _markdown(path: str, text: str) -> Document:
    blocks, images = split(text)
    found = Document(path, Kind.MARKDOWN, text, quoted_images=images)
    for block in blocks:
        suffix = f".{_NICKNAMES.get(block.language, block.language)}"
        kind = {".haproxy": Kind.HAPROXY, ".nginx": Kind.BLOCKS, ".make": Kind.MAKEFILE}.get(
            suffix, Kind.CODE if suffix in LANGUAGES else SUFFIXES.get(suffix, Kind.PROSE)
        )
        typed = _typed(block.text) if block.language == "console" else block.text
        if kind is Kind.MARKDOWN:
            continue
        part = _read(path, kind, typed, LANGUAGES.get(suffix, ""))
        if part.faults or part.unjudged:
            continue  # an excerpt with … in it is no file
        found = found.joined(replace(part, is_compose=False))
    return found
