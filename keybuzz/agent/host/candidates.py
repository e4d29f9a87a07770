"""What containers and files of this host hold in the places of credentials. Only `kbz adopt --take-credentials` asks.

Values are answered as hexadecimal digits of UTF-8. Containers that do not run are looked at too.
"""

from __future__ import annotations

import re
import shlex
from glob import glob

from keybuzz.agent.guard import opener
from keybuzz.agent.host.data_sweep import SOCKET
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keybuzz.agent.runtime.context import Context

    Found = Iterator[tuple[str, str, str]]

_LARGEST = 1 << 17
"""Bytes of a file that are looked at: a configuration is small."""
_LONGEST = 512
"""Characters of a value; what is longer is no password."""
_MOST = 200


def find(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return each value with its credential and place, and what could not be looked into."""
    problems: list[str] = []
    found = [*_containers(query, context, problems), *_files(query["files"], problems)]
    kept = dict.fromkeys(item for item in found if 0 < len(item[2]) <= _LONGEST)
    if len(kept) > _MOST:
        problems.append(f"{len(kept)} values were found; the first {_MOST} are told")
    return {
        "found": [[name, place, value.encode().hex()] for name, place, value in kept][:_MOST],
        "problems": problems[:20],
    }


def _containers(query: dict[str, Any], context: Context, problems: list[str]) -> Found:
    if not opener.is_there(SOCKET):
        return  # no Docker yet
    try:
        listed = context.docker.get("/containers/json?all=true") or []
        names = sorted(min(item["Names"], key=len).lstrip("/") for item in listed)
        containers = [(name, context.docker.inspect(name)) for name in names]
    except AgentError as error:
        problems.append(f"Docker does not tell its containers: {error.what}")
        return
    for name, container in containers:
        config = (container or {}).get("Config") or {}
        place = f"container {name}"
        for assigned in config.get("Env") or []:
            variable, _, value = assigned.partition("=")
            if variable in query["variables"]:
                yield query["variables"][variable], f"{place}, variable {variable}", value
        words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
        yield from _options(query["options"], place, list(_split(words)))


def _split(words: list[str]) -> Iterator[str]:
    """Yield the words of a command, also those of a script that a shell is given as one word."""
    for word in words:
        try:
            yield from shlex.split(word) if " " in word.strip() else [word]
        except ValueError:  # an open quote: it is text and no command
            yield word


def _options(wanted: dict[str, str], place: str, words: list[str]) -> Found:
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in wanted:
            following = "".join(words[number + 1 : number + 2])
            yield wanted[option], f"{place}, option {option}", value if equals else following


def _files(wanted: list[list[str]], problems: list[str]) -> Found:
    for credential, pattern, line in wanted:
        for path in sorted(glob(pattern)):
            try:
                text = opener.head(path, _LARGEST, final=True).decode("utf-8", "replace")
            except FileNotFoundError:
                continue  # it has gone since
            except (OSError, AgentError) as error:
                why = error.what if isinstance(error, AgentError) else os_error_text(error)
                problems.append(f"{path}: {why}")
                continue
            for value in re.findall(line, text, re.M):
                yield credential, f"file {path}", value.strip().strip("'\"")
