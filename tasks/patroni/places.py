"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

_FILES = ("/opt/keybuzz/patroni/*.yml", "/opt/keybuzz/patroni/*/*.yml", "/etc/patroni/*.yml")
_POOLER = "/etc/pgbouncer/userlist.txt"


def _in_files(line: str) -> tuple[tuple[str, str], ...]:
    return tuple((path, line) for path in _FILES)


def _account(user: str, password: str, section: str, variable: str) -> tuple[Places, Places]:
    """Return the places of one account of patroni.yml, which has its name above its password."""
    names = rf"^\s+{section}:\n\s+username:\s*(\S+)\n\s+password:"
    values = rf"^\s+{section}:\n\s+username:.*\n\s+password:\s*(.+)$"
    return (
        Places(user, (user, f"PATRONI_{variable}_USERNAME"), (), _in_files(names)),
        Places(password, (password, f"PATRONI_{variable}_PASSWORD"), (), _in_files(values)),
    )


PLACES = (
    *_account("POSTGRES_SUPERUSER", "POSTGRES_SUPERPASS", "superuser", "SUPERUSER"),
    *_account("POSTGRES_REPL_USER", "POSTGRES_REPL_PASS", "replication", "REPLICATION"),
    *_account("POSTGRES_REWIND_USER", "POSTGRES_REWIND_PASS", "rewind", "REWIND"),
    Places("POSTGRES_APP_PASS", ("POSTGRES_APP_PASS",), (), ((_POOLER, r'^"kb_app"\s+"([^"]+)"'),)),
    Places("POSTGRES_DB", ("POSTGRES_DB",)),
    Places("PATRONI_CLUSTER_NAME", ("PATRONI_SCOPE",), (), _in_files(r"^scope:\s*(\S+)")),
    Places(
        "PATRONI_API_PASSWORD",
        ("PATRONI_RESTAPI_PASSWORD",),
        (),
        _in_files(r"^\s+authentication:\n\s+username:.*\n\s+password:\s*(.+)$"),
    ),
)
