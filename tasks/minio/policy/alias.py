"""MIN-5: how MinIO is named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.context import Context
from keybuzz.policy.document import Command, Document
from keybuzz.policy.node import Place
from keybuzz.policy.violation import Found, Rule, each
from tasks.minio.service.resources import PORT
from tasks.minio.values import GROUP


def _judge_alias(document: Document, context: Context) -> Iterator[Found]:
    """MIN-5."""
    entry = next((item for item in context.endpoints if GROUP in item.targets), None)
    if entry is None:
        return
    official = f"http://{entry.address}:{PORT}"
    for command in document.commands:
        found = _alias(command)
        if found is None:
            continue
        name, url, place = found
        wrong_url = "$" not in url and url.rstrip("/") != official
        if name != "minio" or wrong_url:
            what = f"the alias {name}" if name != "minio" else "the alias minio elsewhere"
            message = f"MinIO has one alias and one entry point, and this is {what}"
            yield Found(document.path, place, f"{name} {_without_user(url)}", message)
    for setting in document.settings:
        if setting.key.startswith("MC_HOST_") and setting.key != "MC_HOST_minio":
            message = f"MinIO has one alias, and this is {setting.key.removeprefix('MC_HOST_')}"
            yield Found(document.path, setting.place, setting.key, message)


def _alias(command: Command) -> tuple[str, str, Place] | None:
    """Return the name, address and place of an alias that a command sets, or None."""
    texts = command.texts
    if not any(re.fullmatch(r"(?:\S*/)?mc(?:li)?(?::\S+)?", text) for text in texts):
        return None
    for verb in (("alias", "set"), ("config", "host", "add")):
        for position in range(len(texts) - len(verb) - 1):
            if texts[position : position + len(verb)] == verb:
                words = command.words[position + len(verb) :]
                return words[0].text, words[1].text, words[0].place
    return None


def _without_user(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


MIN_5 = Rule(
    id="MIN-5",
    title="MinIO has one alias: minio, at its one entry point",
    why="Scripts that name different entry points test and fill different nodes, and it stays unknown which one an"
    " incident is about.",
    instead='mc alias set minio http://10.0.0.134:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"',
    applies_to="`mc alias set`, `mc config host add` and MC_HOST_… in shell, Dockerfiles, compose files,"
    " manifests and environment files.",
    judge=each(_judge_alias),
)
