"""What may be asked of programs and daemons by a session that only looks, word by word.

A list of what is known to change nothing, never of what is known to change something: a question that is not here is
refused until it has been reviewed.
"""

from __future__ import annotations

from keybuzz.agent import parts
from keybuzz.agent.guard.access import PROBE
from keybuzz.agent.wire.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Judge = Callable[..., str]

PRIVATE_SSHD = (
    *("unshare", "--mount", "sh", "-c"),
    "mount -t tmpfs kbz /run && mkdir -m 755 /run/sshd && exec sshd -T",
)
"""sshd -T where no sshd runs: it wants a folder below /run, which lies in a mount that nothing else sees."""
_EXACTLY = frozenset(
    {
        ("sshd", "-T"),
        ("iptables", "-S"),
        ("ip6tables", "-S"),
        ("iptables", "-t", "nat", "-S"),
        ("date", "+%s"),
        PRIVATE_SSHD,
    }
)
_PROGRAMS: dict[tuple[str, ...], frozenset[str]] = {
    ("systemctl", "show"): frozenset({"--property"}),
    ("systemctl", "list-units"): frozenset({"--failed", "--plain", "--no-legend"}),
    ("journalctl", "-u"): frozenset({"-n", "-o", "--no-pager", "-q"}),
    ("dpkg", "--compare-versions"): frozenset(),
    ("dpkg-deb", "--fsys-tarfile"): frozenset(),
}
"""Programs with their first word, and the options that may follow it."""
READ_ONLY = "BEGIN READ ONLY;"
"""How everything begins that is asked of PostgreSQL: no row, and no transaction id, is written for it."""
READ_ONLY_PSQL = ("env", "PGOPTIONS=-c default_transaction_read_only=on", "psql")
"""How a command in PostgreSQL's container begins that only asks."""
_READ_ONLY_SELECT = Pattern(rf"(?i){READ_ONLY} select [^;]+; COMMIT")
_BURNS = Pattern(r"(?i)\b(?:txid_current|pg_current_xact_id)\s*\(")
"""Functions that take a new transaction id, in a transaction that only reads too."""
_PSQL = ("psql", "-h", "/var/run/postgresql")
_DOCKER_EXEC = Pattern(r"/(?:containers/[^/?]+/exec|exec/[0-9a-f]+/start)")
"""Where Docker runs a program in a container: the program itself is judged before."""
_SQL = ("SELECT ", "SHOW ", "CHECKSUM TABLE ")
_SQL_WRITES = (" INTO ", " FOR UPDATE", " FOR SHARE", " LOCK IN ")
_SOCKET = Pattern(r"show [a-z ]+")


def judges(access: str) -> dict[str, Judge]:
    """Return what judges each question of our clients; it returns what is wrong, or nothing."""
    probe = access == PROBE
    return {
        "kbz.container": _container,
        "kbz.http": lambda method, path: _http(method, path, probe=probe),
        "kbz.mysql": _mysql,
        "kbz.postgres": _postgres,
        "kbz.socket": _socket,
    }


def judge_of_module(event: str, access: str) -> Judge:
    """Return what judges the questions of a protocol that a module speaks; one that none knows is refused."""
    protocol = event.partition(".")[2]
    judge = parts.function(parts.JUDGES, "judge", protocol)
    if judge is None:
        return lambda *words: f"a question of {protocol}, which nothing here judges,"
    return lambda *words: judge(words, probe=access == PROBE)


def is_a_look(argv: Sequence[str]) -> bool:
    """Return whether a program on the host only looks, with exactly these words."""
    if tuple(argv) in _EXACTLY:
        return True
    options = _PROGRAMS.get((*argv[:2],))
    if options is None:
        return False
    asked = {word.partition("=")[0] for word in argv[2:] if word.startswith("-")}
    return asked <= options


def _container(argv: Sequence[str], stdin: bytes) -> str:
    words = tuple(argv)
    only_asks = (
        _asks(words)
        or (words[:3] == _PSQL and stdin.startswith(READ_ONLY.encode()))
        or (words[:3] == READ_ONLY_PSQL and _one_select(words[-2:]))
    )
    return "" if only_asks else f"to run `{' '.join(words)[:120]}` in a container"


def _asks(words: tuple[str, ...]) -> bool:
    """Return whether a program of a module only asks, with these words."""
    asks = parts.function(parts.COMMANDS, "asks", words[0]) if words else None
    return asks is not None and bool(asks(words))


def _one_select(words: Sequence[str]) -> bool:
    return words[0] == "-c" and words[1].upper().startswith("SELECT ") and ";" not in words[1]


def _http(method: str, path: str, *, probe: bool) -> str:
    place = path.partition("?")[0]
    asks = (
        method == "GET"
        or (method == "POST" and _DOCKER_EXEC.fullmatch(place))
        or (probe and f"{method} {place}" in parts.table(parts.PROBES))
    )
    return "" if asks else f"{method} {place}"


def _mysql(statement: str) -> str:
    words = " ".join(statement.upper().split())
    asks = words.startswith(_SQL) and not any(word in words for word in _SQL_WRITES)
    return "" if asks else f"the statement {_begin(statement)}"


def _postgres(statement: str) -> str:
    asks = _READ_ONLY_SELECT.fullmatch(statement) and not _BURNS.search(statement)
    return "" if asks else f"the statement {_begin(statement)}"


def _begin(statement: str) -> str:
    """Return how a statement begins: further on may stand what must not be shown."""
    return f"`{' '.join(statement.split()[:2])} …`"


def _socket(question: str) -> str:
    return "" if _SOCKET.fullmatch(question) else f"the order `{question[:60]}`"
