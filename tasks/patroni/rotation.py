"""New passwords for a live cluster, in the order that keeps it working. Pure.

The role takes the new password first, then the members' patroni.yml. In between, replicas go on over the connections
that they have, and the controller comes in over the local socket, which asks for no password: whoever is cut off here
can go on. The other way round, a replica that reconnects in between would hold up the very gate of the role's change.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.errors import RefusedError
from keybuzz.model.files import File
from keybuzz.model.live import Gate, Live, Stage
from keybuzz.model.plan import Action
from keybuzz.model.postgres import Role
from keybuzz.model.reading import PostgresLogin
from keybuzz.model.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.patroni.checks import not_ready
from tasks.patroni.members import leaders
from tasks.patroni.rollout import JOIN_TIMEOUT, START_TIMEOUT
from tasks.patroni.values import CONFIGURATION

_FILE = f"{CONFIGURATION}/patroni.yml"


def next_stage(live: Live) -> Stage | None:
    """Return the next stage of a rotation: the role on the leader, the members' files, then that all stream."""
    everybody = [server.name for server in live.members]
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    roles = [change for change in ready if isinstance(change.resource, Role)]
    files = [
        change
        for change in ready
        if isinstance(change.resource, File) and change.resource.path == _FILE
    ]
    for change in ready:
        if change not in roles and change not in files:
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes passwords only",
                where=change.host,
                hint="kbz run patroni first",
            )
    if roles:
        return Stage("the cluster accepts the new password", tuple(roles), before=_one_leader())
    whole = Gate("all members stream", lambda now: not_ready(now, everybody), START_TIMEOUT)
    if files:
        return Stage("the members use it", tuple(files), after=whole)
    if not_ready(live, everybody) is not None:
        return Stage("wait", (), after=whole)
    return None


def _one_leader() -> Gate:
    """Not that all stream: a rotation that was cut off may be the reason why one does not."""
    return Gate(
        "one member leads",
        lambda now: None if len(leaders(now)) == 1 else f"{len(leaders(now))} leaders",
        JOIN_TIMEOUT,
    )


def _login(
    user: str, password: str, database: str, *, replication: bool = False
) -> Callable[[Site, Server], tuple[PostgresLogin, ...]]:
    """Return a login to each member over the network, by names of the store; `=` begins a name as it is."""

    def logins(site: Site, server: Server) -> tuple[PostgresLogin, ...]:
        named = database[1:] if database.startswith("=") else site.secret(database).reveal()
        return (
            PostgresLogin(
                f"login as {site.secret(user).reveal()}",
                str(server.address),
                site.secret(user).reveal(),
                site.secret(password),
                named,
                replication,
            ),
        )

    return logins


def _no_login(site: Site, server: Server) -> tuple[PostgresLogin, ...]:
    del site, server
    return ()


ROTATIONS = (
    Rotation(
        "postgres-app",
        "POSTGRES_APP_PASS",
        next_stage,
        _login("POSTGRES_APP_USER", "POSTGRES_APP_PASS", "POSTGRES_DB"),
    ),
    Rotation(
        "postgres-replication",
        "POSTGRES_REPL_PASS",
        next_stage,
        _login("POSTGRES_REPL_USER", "POSTGRES_REPL_PASS", "=postgres", replication=True),
    ),
    Rotation(
        "postgres-rewind",
        "POSTGRES_REWIND_PASS",
        next_stage,
        _login("POSTGRES_REWIND_USER", "POSTGRES_REWIND_PASS", "=postgres"),
    ),
    Rotation(
        "postgres-superuser",
        "POSTGRES_SUPERPASS",
        next_stage,
        _no_login,
        "Patroni itself logs in with this password: a leader that loses its connection between the role's change "
        "and the reload of its patroni.yml could step down, and no test has shown yet that it does not",
    ),
    Rotation(
        "patroni-api",
        "PATRONI_API_PASSWORD",
        next_stage,
        _no_login,
        "members that have reloaded and members that have not would refuse each other's requests for a moment, "
        "and kbz has no proof by a real login for this interface yet",
    ),
)
