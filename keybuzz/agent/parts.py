"""What modules bring to the agent: the folder `agent` of each that has one (tasks/<module>/agent).

Its `__init__.py` holds tables, and needs only those that it fills:

- `KINDS`: a kind of resource, to the file there with `read_<kind>` and `write_<kind>` (keybuzz.agent.kinds);
- `NETWORK`: a kind of reading that needs nothing of the host, to the file with `answer_<kind>(query)`;
- `HOST`: any other kind of reading, to the file with `answer_<kind>(query, context)`;
- `NOT_ONLY_LOOKS`: a kind of reading, to how far it goes (keybuzz.agent.guard.access), where that is not `look`;
- `MARKS`: a kind of data (`Ground.kinds`), to the file with `mark_<kind>(folder, names)`, which returns the identity of
  such data (empty where it has none), or None for a folder that is none;
- `SERVING`: the same for what is no data but a configuration, whose identity is the ports that it listens on.
- `PLACES`: a kind of resource or reading, to the place that it asks, where that is not its address and port: words of
  the query in braces. A place that was silent is asked no more in one look (keybuzz.agent.guard.silence);
- `JUDGES`: a protocol of its own, to the file with `judge_<protocol>(words, probe=…)`, which returns what is wrong with
  such a question in a session that only looks, or nothing. Its client tells each as `kbz.<protocol>` (`sys.audit`);
- `PROBES`: a request of HTTP (`PATCH /config`) that changes nothing, and that a session which probes may make;
- `SECRET_FILES`: the name of a file that is a secret as a whole, to what it is;
- `COMMANDS`: a program in a container, to the file with `asks_<program>(words)`: whether it only asks, word by word.

A file is imported when the first of its kinds is asked for: most hosts need none of them.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Table = dict[str, tuple[str, Any]]

KINDS, NETWORK, HOST, NOT_ONLY_LOOKS = "KINDS", "NETWORK", "HOST", "NOT_ONLY_LOOKS"
MARKS, SERVING, PLACES, JUDGES = "MARKS", "SERVING", "PLACES", "JUDGES"
COMMANDS, PROBES, SECRET_FILES = "COMMANDS", "PROBES", "SECRET_FILES"
_TABLES: dict[str, Table] = {}


def table(name: str) -> Table:
    """Return one table of all modules: a kind, to the package that has it and what stands there."""
    if name not in _TABLES:
        import tasks

        packages = [f"tasks.{module}.agent" for module in tasks.with_agent()]
        _TABLES[name] = {
            kind: (package, value)
            for package in packages
            for kind, value in getattr(import_module(package), name, {}).items()
        }
    return _TABLES[name]


def function(name: str, verb: str, kind: str) -> Any | None:
    """Return `<verb>_<kind>` of the module that has the kind in that table; None where none has."""
    package, file = table(name).get(kind, ("", ""))
    if not package:
        return None
    return getattr(import_module(f"{package}.{file}"), f"{verb}_{kind.replace('-', '_')}")
