"""Where commands name container images, ports that they publish, and addresses that they listen on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from keybuzz.policy.document import Bind, Command, Image, Word
from keybuzz.policy.node import Place

_RUNTIMES = frozenset({"docker", "podman", "nerdctl", "crictl", "ctr"})
_TAKES_IMAGE = frozenset({"run", "create", "pull", "push", "tag"})
_FLAG = re.compile(
    r"-[aditqP]+|--(?:detach|interactive|tty|publish-all|privileged|rm|init|read-only|no-healthcheck"
    r"|oom-kill-disable|sig-proxy|disable-content-trust|quiet|all-tags)"
)
"""Options of `docker run` and `docker pull` that take no value."""
_PUBLISHED = re.compile(
    r"(?:(?P<address>\[[^\]]*\]|[\d.]+|\*):)?(?P<host>[\d-]*):(?P<inside>\d+[\d-]*)(?:/\w+)?"
)
_LISTEN = re.compile(r"(?P<address>[\d.]*|\*|\[::\]):(?P<port>\d+)")
_LISTEN_OPTIONS = frozenset({"--address", "--console-address", "--listen", "--bind"})


_CONTAINER = re.compile(r"[\w${][\w${}.:?/@+-]*[:/@][\w${}.:?/@+-]*", re.ASCII)
_PICTURE = re.compile(r"^\w+://|\.(?:avif|gif|ico|jpe?g|png|svg|webp)$", re.I)


def looks_like_image(text: str) -> bool:
    """Return whether a setting named image holds a reference to a container's, and not a picture or a switch."""
    return bool(_CONTAINER.fullmatch(text)) and not _PICTURE.search(text)


def command_images(command: Command) -> tuple[Image, ...]:
    """Return the images that a command runs, fetches, builds or sets."""
    texts = command.texts
    if command.name in _RUNTIMES and "login" not in texts:
        verb = next((n for n, text in enumerate(texts) if text in _TAKES_IMAGE), None)
        if verb is not None:
            return _runtime_images(texts[verb], command.words[verb + 1 :])
        if "build" in texts:
            return tuple(Image(w.text, w.place) for w in _values(command, ("-t", "--tag")))
    if "kubectl" in command.texts or command.name == "oc":
        return _kubectl_images(command)
    if "helm" in command.texts:
        return tuple(_helm_images(command))
    if command.texts[:3] == ("kustomize", "edit", "set"):
        words = (word for word in command.words[3:] if word.text != "image")
        return tuple(_assigned(word) for word in words)
    return ()


def _helm_images(command: Command) -> Iterator[Image]:
    """Yield the tags and images that `--set` gives."""
    for word in _values(command, ("--set", "--set-string")):
        for part in word.text.split(","):
            name, sign, value = part.partition("=")
            last = name.rpartition(".")[2]
            place = Place(
                word.place.line, word.place.column + word.text.index(part) + len(name) + 1
            )
            if sign and value and last in ("tag", "imageTag"):
                yield Image(f"image:{value}", place, is_tag=True)
            elif sign and last == "image" and looks_like_image(value):
                yield Image(value, place)


def _assigned(word: Word) -> Image:
    name, sign, reference = word.text.partition("=")
    start = len(name) + 1 if sign else 0
    return Image(reference if sign else name, Place(word.place.line, word.place.column + start))


def _runtime_images(verb: str, words: tuple[Word, ...]) -> tuple[Image, ...]:
    free = _free(words)
    wanted = free[:2] if verb == "tag" else free[:1]
    return tuple(Image(word.text, word.place) for word in wanted)


def _kubectl_images(command: Command) -> tuple[Image, ...]:
    found = [Image(word.text, word.place) for word in _values(command, ("--image",))]
    if ("set", "image") in pairwise(command.texts):
        for word in command.words:
            name, sign, reference = word.text.partition("=")
            if sign and reference and not name.startswith("-"):
                found.append(_assigned(word))
    return tuple(found)


def command_binds(command: Command) -> tuple[Bind, ...]:
    """Return the ports that a command publishes, and the addresses it makes a program listen on."""
    images = command_images(command)
    of = images[0].reference if images else " ".join(command.texts[:3])
    found = []
    if command.name in _RUNTIMES:
        for word in _values(command, ("-p", "--publish")):
            found += [published(word, of)]
    for word in _values(command, tuple(_LISTEN_OPTIONS)):
        match = _LISTEN.fullmatch(word.text)
        if match is not None:
            found.append(Bind(match["address"], match["port"], word.place, of))
    return tuple(bind for bind in found if bind is not None) + _added_address(command)


def published(word: Word, of: str) -> Bind | None:
    """Return what `address:host:inside` listens on, or None when it is no such text."""
    match = _PUBLISHED.fullmatch(word.text)
    if match is None:
        inside = re.fullmatch(r"\d+(?:/\w+)?", word.text)
        return Bind("", word.text.partition("/")[0], word.place, of) if inside else None
    return Bind((match["address"] or "").strip("[]"), match["inside"], word.place, of)


def _added_address(command: Command) -> tuple[Bind, ...]:
    """`ip address add 10.0.0.10/32 dev lo`: the address is made this host's own."""
    texts = command.texts
    if command.name != "ip" or "add" not in texts:
        return ()
    return tuple(
        Bind(word.text.partition("/")[0], "", word.place, "ip")
        for word in command.words
        if re.fullmatch(r"[\d.]+(?:/\d+)?", word.text)
    )


def _values(command: Command, options: tuple[str, ...]) -> list[Word]:
    """Return the words that are the values of some options, written with a space or with `=`."""
    found = []
    for position, word in enumerate(command.words):
        name, sign, value = word.text.partition("=")
        if word.text in options and position + 1 < len(command.words):
            found.append(command.words[position + 1])
        elif name in options and sign:
            found.append(Word(value, word.place))
    return found


def _free(words: tuple[Word, ...]) -> list[Word]:
    """Return the words that are no options and no values of options."""
    free = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word.text.startswith("-"):
            is_value = not _FLAG.fullmatch(word.text) and "=" not in word.text
        else:
            free.append(word)
    return free
