"""The settings, commands and images of a tree, whatever program it is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from keybuzz.policy.document import Command, Document, Image, Kind, Setting, Word
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.images import looks_like_image
from keybuzz.policy.readers.named import binds_of
from keybuzz.policy.readers.text import line_settings

NAMING = frozenset(
    {
        "apiVersion",
        "image",
        "kind",
        "labels",
        "matchExpressions",
        "matchLabels",
        "namespace",
        "nodeAffinity",
        "nodeSelector",
        "selector",
        "$schema",
    }
)
"""Keys whose values name and choose things: no program connects to them."""
_PAIR = re.compile(r"(?:--)?(?P<key>[A-Za-z_][\w.-]*)=(?P<value>.*)", re.DOTALL)
COMMANDS = frozenset(
    {
        "cmds",
        "command",
        "args",
        "entrypoint",
        "script",
        "before_script",
        "after_script",
        "run",
        "runcmd",
        "bootcmd",
        "bash",
        "cmd",
        "shell",
        "commands",
        "steps_command",
        "test",
        "preStop",
        "postStart",
        "exec",
    }
)
"""Keys below which words of commands or lines of a shell are."""
_SCRIPTS = frozenset(
    {"cmds", "script", "before_script", "after_script", "run", "shell", "commands", "cmd"}
    | {"runcmd", "bootcmd", "ansible.builtin.shell", "bash"}
)
"""Those of them whose texts are always lines of a shell."""
_ARGUMENTS = frozenset({"runcmd", "bootcmd"})
"""Scripts of cloud-init: a list inside of one is the words of a command, and no lines."""
_TAGS = re.compile(r"(?:^|_)image_?tag$|imageTag$|^docker_?tag$", re.I)


def tree_document(path: str, kind: Kind, text: str, roots: Iterable[Node]) -> Document:
    """Return what trees say that are the settings of any application."""
    found = Document(path, kind, text)
    for root in roots:
        settings = tuple(tree_settings(root))
        commands, given = tree_commands(root)
        part = shell_document(path, kind, text, commands, given)
        found = found.joined(part).joined(
            Document(
                path,
                kind,
                text,
                settings,
                images=tuple(tree_images(root)),
                binds=binds_of(settings),
            )
        )
    return found


def tree_settings(root: Node, naming: frozenset[str] = NAMING) -> Iterator[Setting]:
    """Yield every text that a program may use; `NAME=value` in a list is split, `name:` with `value:` joined."""
    yield from _named_values(root)
    for leaf in root.leaves():
        text = leaf.node.text or ""
        if naming.intersection(leaf.path) or _SCRIPTS.intersection(leaf.path):
            continue
        if "\n" in text and leaf.node.tag.startswith("!"):
            continue  # encrypted, or read by a program of its own
        if "\n" in text:
            yield from _block(leaf.path, leaf.node)
            continue
        match = _PAIR.fullmatch(text)
        if match is not None and not text.startswith(("http", "postgres")):
            place = Place(leaf.node.place.line, leaf.node.place.column + match.start("value"))
            yield Setting((*leaf.path, match["key"]), match["value"], place, leaf.scope)
        else:
            yield Setting(leaf.path, text, leaf.node.place, leaf.scope, leaf.node.tag)


def _block(path: tuple[str, ...], node: Node) -> Iterator[Setting]:
    """Yield what the lines of a block of text say, under the keys of the block."""
    for setting in line_settings(node.text or "", Place(node.place.line)):
        place = Place(setting.place.line, setting.place.column + node.place.column - 1)
        yield Setting((*path, *setting.path), setting.value, place, node.place.scope)


def _named_values(root: Node) -> Iterator[Setting]:
    """Yield `- name: KEY` with `value: text`, as containers and Helm charts have them."""
    for path, node in root.mappings():
        value = node.get("value")
        name = node.get("name") or node.get("key")
        if name is not None and value is not None and value.text is not None:
            scope = (node.key or root.place).scope
            yield Setting((*path, name.text or ""), value.text, value.place, scope, value.tag)


def tree_commands(root: Node) -> tuple[tuple[Command, ...], tuple[Setting, ...]]:
    """Return what commands and scripts run, of whatever depth; a text with spaces is a shell's."""
    commands: tuple[Command, ...] = ()
    settings: tuple[Setting, ...] = ()
    for _, mapping in root.mappings():
        for name, value in mapping.entries:
            key = name.removeprefix("ansible.builtin.")
            if key in COMMANDS and not value.entries:
                found, given = _command(value, key, is_script=key in _SCRIPTS)
                commands, settings = commands + found, settings + given
    return commands, settings


def _command(
    node: Node, key: str, *, is_script: bool
) -> tuple[tuple[Command, ...], tuple[Setting, ...]]:
    if node.text is not None:
        return read_commands(_indented(node), Place(node.place.line))
    words = tuple(Word(item.text or "", item.place) for item in node.items)
    found: tuple[Command, ...] = ()
    given: tuple[Setting, ...] = ()
    if words and words[0].text and not is_script:
        found = (Command(words),)
    for item in node.items:
        if (item.text and (is_script or " " in item.text or "\n" in item.text)) or (
            item.items and is_script
        ):
            inner, more = _command(item, key, is_script=not (item.items and key in _ARGUMENTS))
            found, given = found + inner, given + more
    return found, given


def _indented(node: Node) -> str:
    """Return the text of a node with each line in the column where it is in the file."""
    indent = " " * (node.place.column - 1)
    return "\n".join(indent + line for line in (node.text or "").split("\n"))


def tree_images(root: Node) -> Iterator[Image]:
    """Yield `image: text`, `image: {repository, tag}` and `imageTag: text` as values files have them."""
    for path, node in root.mappings():
        if node.get("service") and node.get("servers") and node.get("registry"):
            continue  # Kamal names the image, and tags it itself
        yield from _repository(path, node)
        name, value = node.word("name"), node.get("value")
        if re.search(r"image\.tag$|imageTag$", name) and value is not None and value.text:
            yield Image(f"image:{value.text}", value.place, is_tag=True)
        for key, value in node.entries:
            text = value.text or ""
            if key.lower().endswith("image") and looks_like_image(text):
                tag = node.get("tag")
                if tag is None or tag.text is None:
                    yield Image(text, value.place)
                elif tag.text:
                    yield Image(f"{text}:{tag.text}", tag.place, is_tag=True)
            elif _TAGS.search(key) and text:
                yield Image(f"image:{text}", value.place, is_tag=True)


def _repository(path: tuple[str, ...], node: Node) -> Iterator[Image]:
    """Yield `{repository, tag}`; an empty tag is the one of the chart."""
    repository, tag, digest = node.word("repository"), node.get("tag"), node.word("digest")
    named = bool(path) and path[-1].lower().endswith(("image", "images"))
    if not repository and named and node.get("image") is None:
        repository = node.word("name")
    if not repository or "://" in repository or digest or tag is None or not tag.text:
        return
    if named or node.get("pullPolicy") is not None or tag is not None:
        yield Image(f"{repository}:{tag.text}", tag.place, is_tag=True)
