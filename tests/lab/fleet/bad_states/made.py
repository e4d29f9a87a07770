"""Bad states of docs/states.md that are made together: how each is made, and what its daemon's own tool and kbz say.

States on different services are planted at once, as in `faults_seen.py`, and looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass

TOOLS = r"""
r() { docker exec redis sh -c 'F=/opt/keybuzz/redis/conf/redis.conf
REDISCLI_AUTH=$(sed -n "s/^requirepass //p" $F | tr -d \")
export REDISCLI_AUTH; exec redis-cli -h $(sed -n "s/^bind \([0-9.]*\).*/\1/p" $F) "$@"' r "$@"; }
s() { docker exec redis-sentinel redis-cli -h $(hostname -I | tr ' ' '\n' | grep -m1 '^10\.0\.0\.') -p 26379 "$@"; }
q() { docker exec rabbitmq rabbitmqctl -q "$@"; }
p() { docker exec patroni psql -h /var/run/postgresql -XqAt -U kb_admin -d postgres -c "$1"; }
pc() { docker exec patroni patronictl -c /etc/patroni/patroni.yml "$@"; }
m() { docker exec mariadb sh -c '
MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec mysql -h 127.0.0.1 -u root -N -e "$1"' m "$1"; }
h() { python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall((sys.argv[2] + "\n").encode()); s.shutdown(1)
print(s.makefile().read())' "$1" "$2"; }
w() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 150 ] || exit 9; sleep 0.2; done; }
"""
"""The daemons' own tools, as functions of a shell on the host; `w` waits until one of them says so, half a minute."""

HINT = "as the finding spells it"
"""A way out: the command of kbz in the hint."""


@dataclass(frozen=True)
class Bad:
    """One state of one service, made on one host."""

    id: str
    """Its row of docs/states.md."""
    host: str
    """Its name, or module/role: whoever has that role now."""
    make: str
    """With `TOOLS`, on the host."""
    ask: str
    """The daemon's own tool, on the same host."""
    says: str
    """What it then answers: a part of it."""
    undo: str
    """How it is taken back: the row's way out, on the host; or a command of kbz, or `HINT`."""
    health: tuple[str, str, str] | None = None
    """Check, level, and a part of the message; None where health has nothing to say."""
    drift: str = ""
    """What is in the id of an item of `kbz drift`; empty where it has nothing to say."""
    seen_from: str = "itself"
    """Where health sees it: on the same host, or on `others`, which meet it from outside."""
    refuses: tuple[tuple[str, ...], str] | None = None
    """A verb that refuses meanwhile, and what it says then."""
    told: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """A verb besides health and drift that tells it, and what it names."""
