"""PG-2: Patroni's image as it was agreed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.context import Context
from keybuzz.policy.document import Build, Command, Document, Word
from keybuzz.policy.rules.versions import pip_packages
from keybuzz.policy.violation import Found, Rule, each

_PATRONI = "patroni[raft]==3.3.0"
_CONFIGURATION = "/etc/patroni/patroni.yml"


def _judge_patroni(document: Document, context: Context) -> Iterator[Found]:
    """PG-2."""
    for image in document.images:
        if re.search(r"(?:^|/)zalando/patroni\b", image.reference):
            message = "Patroni is run from our own image, never from zalando/patroni"
            yield Found(document.path, image.place, image.reference, message)
    for build in document.builds:
        if _is_patroni(build):
            yield from _base(document, build, context)
            yield from _packages(document, build)
            yield from _user(document, build)
            yield from _start(document, build)


def _is_patroni(build: Build) -> bool:
    packages = [word.text for command in _runs(build) for word in pip_packages(command)]
    starts = [c.name for item in build.named("CMD", "ENTRYPOINT") for c in item.commands]
    return "patroni" in starts or any(re.match(r"patroni\b", package) for package in packages)


def _runs(build: Build) -> list[Command]:
    return [command for item in build.named("RUN") for command in item.commands]


def _base(document: Document, build: Build, context: Context) -> Iterator[Found]:
    wanted = context.versions["postgres"].reference if "postgres" in context.versions else ""
    lines = {item.place.line for item in build.named("FROM")}
    for image in document.images:
        is_postgres = image.reference.partition(":")[0] == "postgres"
        if image.place.line in lines and is_postgres and wanted not in ("", image.reference):
            message = f"Patroni's base is {wanted} (inventory/versions.yaml says why)"
            instead = f"FROM {wanted}"
            yield Found(document.path, image.place, image.reference, message, instead)


def _packages(document: Document, build: Build) -> Iterator[Found]:
    pip = [word for command in _runs(build) for word in pip_packages(command)]
    for word in pip:
        if word.text.startswith("patroni") and word.text != _PATRONI:
            yield _wrong(document, word, f"Patroni is frozen at {_PATRONI}", f"write {_PATRONI}")
        elif word.text.startswith("python-etcd"):
            message = "this cluster keeps its state in RAFT and has no etcd"
            yield _wrong(document, word, message, "leave python-etcd out")
    for command in _runs(build):
        for word in command.words if command.name in ("apt-get", "apt") else ():
            if word.text.startswith("python3-psycopg") and pip:
                message = "Patroni comes from pip, and its driver from the system's packages"
                instead = "install psycopg2-binary with pip, in the same interpreter"
                yield _wrong(document, word, message, instead)


def _wrong(document: Document, word: Word, message: str, instead: str) -> Found:
    return Found(document.path, word.place, word.text, message, instead)


def _user(document: Document, build: Build) -> Iterator[Found]:
    users = build.named("USER")
    if users and users[-1].text.partition(":")[0] == "postgres":
        return
    item = users[-1] if users else build.instructions[-1]
    excerpt = f"USER {users[-1].text}" if users else item.name
    message = "PostgreSQL refuses to run as root, and its files belong to postgres"
    yield Found(document.path, item.place, excerpt, message, "end with USER postgres")


def _start(document: Document, build: Build) -> Iterator[Found]:
    for item in build.named("CMD")[-1:]:
        texts = [text for command in item.commands for text in command.texts]
        if texts != ["patroni", _CONFIGURATION]:
            message = "the container starts something else than Patroni with its configuration"
            instead = f'CMD ["patroni", "{_CONFIGURATION}"]'
            yield Found(document.path, item.place, f"CMD {item.text}", message, instead)


PG_2 = Rule(
    id="PG-2",
    title="Patroni's image is our own build",
    why="zalando/patroni brings another PostgreSQL, another Patroni and other paths than the cluster's data was"
    " made with.",
    instead="tasks/patroni/image/Dockerfile: the Debian base of versions.yaml, patroni[raft]==3.3.0 and its"
    " driver from pip, USER postgres, CMD patroni /etc/patroni/patroni.yml",
    applies_to="images named zalando/patroni anywhere, and Dockerfiles that install or start Patroni.",
    judge=each(_judge_patroni),
)
