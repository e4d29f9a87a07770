"""What is told of a line that may hold a password: enough to find it, and neither arguments nor values.

A password may be any word of a command. So what is told is what a line sets, or when it is run and by which program.
"""

from __future__ import annotations

import re
import shlex

CUT = "…"
"""In the place of what is not told."""
_ASSIGNMENT = re.compile(r"(\w+)\s*=")
_PROGRAM = re.compile(r"[\w./+@-]+")
_TIMES = re.compile(r"@\w+$|[\w*/,~-]+$")
_KEY = re.compile(r"([A-Za-z]\w*)\s*=\s*")
_SECTION = re.compile(r"\[\w+\]$")
_PREFIXES = "@-:+!|"
"""Before the program of an ExecStart."""
_SCRIPTS = ("cron.hourly", "cron.daily", "cron.weekly", "cron.monthly", "cron.yearly")


def is_script(path: str) -> bool:
    """Return whether this is a script of cron: any of its words may be a password."""
    return path.split("/")[-2:-1] in ([name] for name in _SCRIPTS)


def of_line(path: str, line: str) -> str:
    """Return what is told of a line of a file of a package."""
    folder, _, name = path.rpartition("/")
    if "/systemd/" in path:
        return _unit_line(line)
    if name == "crontab" or folder.rpartition("/")[2].startswith("cron"):
        return CUT if is_script(path) else _cron_line(line)
    return line


def _unit_line(line: str) -> str:
    """Return the key; of a command its program too. A line that goes on with the one before has no key of its own."""
    if _SECTION.match(line):
        return line
    if line.startswith(("#", ";")):
        return f"{line[0]} {CUT}"
    found = _KEY.match(line)
    if found is None:
        return CUT
    if not found[1].startswith("Exec"):
        return f"{found[1]}={CUT}"
    words = line[found.end() :].split()
    return f"{found[1]}={_program(words[0].lstrip(_PREFIXES) if words else '')}{f' {CUT}' if words[1:] else ''}"


def _cron_line(line: str) -> str:
    found = _ASSIGNMENT.match(line)
    if line.startswith("#"):
        return f"# {CUT}"
    if found:
        return f"{found[1]}={CUT}"
    told = of_cron(line, user=True)
    return (
        told
        if len(line.split()) == len(told.split()) + 1
        else f"{told.removesuffix(CUT).rstrip()} {CUT}".strip()
    )


def of_cron(line: str, *, user: bool) -> str:
    """Return the times and the program of a line of cron, without arguments and variables."""
    words = line.split()
    times = 1 if line.startswith("@") else 5
    if not all(_TIMES.match(word) for word in words[:times]):
        return CUT
    try:
        command = shlex.split(" ".join(words[times + user :]))
    except ValueError:  # a quote is not closed
        command = [CUT]
    programs = [_program(word) for word in command if not _ASSIGNMENT.match(word)]
    return " ".join([*words[:times], *programs[:1]])[:120]


def _program(word: str) -> str:
    return word if _PROGRAM.fullmatch(word) else CUT
