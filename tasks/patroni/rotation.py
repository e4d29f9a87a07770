"""New passwords for a live cluster, in the order that keeps it working. Pure.

The role takes the new password first, then the members' patroni.yml. In between, replicas go on over the connections
that they have, and the controller comes in over the local socket, which asks for no password: whoever is cut off here
can go on. The other way round, a replica that reconnects in between would hold up the very gate of the role's change.

What Patroni itself uses goes member by member, the leader last: a member that takes it badly is then a replica.
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.errors import RefusedError
from keybuzz.model.files import File
from keybuzz.model.live import Gate, Live, Stage
from keybuzz.model.plan import Action, Change
from keybuzz.model.postgres import Role
from keybuzz.model.reading import PatroniLogin, PostgresLogin
from keybuzz.model.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.patroni.checks import not_ready
from tasks.patroni.desired import rest_url
from tasks.patroni.members import leader, leaders
from tasks.patroni.rollout import JOIN_TIMEOUT, START_TIMEOUT
from tasks.patroni.values import CONFIGURATION, REST_USER

LOGIN = "a login with the new password"
"""Name of the reading; the stages look at it too."""
_FILE = f"{CONFIGURATION}/patroni.yml"


def next_stage(live: Live) -> Stage | None:
    """Return the next stage of a rotation: the role on the leader, the members' files, then that all stream."""
    roles, files = _changes(live)
    if roles:
        return Stage("the cluster accepts the new password", roles, before=_one_leader())
    if files:
        return Stage("the members use it", files, after=_whole(live))
    return _settle(live)


def one_by_one(live: Live) -> Stage | None:
    """Return the next stage for a password of Patroni's own: the role, then one member's file after the other.

    Without a leader nobody can read the role. A real login tells then whether it has the new password: members whose
    Patroni is shut out with the old one need the file to come back, and before the role has it they must not get it.
    """
    roles, files = _changes(live)
    if roles:
        return Stage("the cluster accepts the new password", roles, before=_one_leader())
    if files:
        if leader(live) is None and not any(_refusal(live, host) == "" for host in live.hosts):
            return Stage("wait", (), after=_one_leader())
        change = min(files, key=lambda found: (found.host == leader(live), found.host))
        return Stage(f"{change.host} uses it", (change,), after=_member_proven(change.host))
    return _settle(live)


def member_by_member(live: Live) -> Stage | None:
    """Return the next stage for a password that only files hold: one member after the other, the leader last."""
    roles, files = _changes(live)
    if roles:
        raise _foreign(roles[0])
    if files:
        change = min(files, key=lambda found: (found.host == leader(live), found.host))
        return Stage(f"{change.host} uses it", (change,), after=_member_proven(change.host))
    return _settle(live)


def _changes(live: Live) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Return the changes of roles and of patroni.yml; RefusedError when anything else differs."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    roles = tuple(change for change in ready if isinstance(change.resource, Role))
    files = tuple(
        change
        for change in ready
        if isinstance(change.resource, File) and change.resource.path == _FILE
    )
    for change in ready:
        if change not in roles and change not in files:
            raise _foreign(change)
    return roles, files


def _foreign(change: Change) -> RefusedError:
    return RefusedError(
        f"{change.identity} is not as described, and a rotation changes passwords only",
        where=change.host,
        hint="kbz run patroni first",
    )


def _settle(live: Live) -> Stage | None:
    whole = _whole(live)
    return None if whole.reason(live) is None else Stage("wait", (), after=whole)


def _whole(live: Live) -> Gate:
    everybody = [server.name for server in live.members]
    return Gate("all members stream", lambda now: not_ready(now, everybody), START_TIMEOUT)


def _member_proven(host: str) -> Gate:
    """Patroni's own state of it, and a real login there. Others may still be on their way back: a leader must be."""
    return Gate(
        f"{host} is well, and a login there with the new password",
        lambda now: not_ready(now, [host]) or _refusal(now, host) or None,
        START_TIMEOUT,
    )


def _refusal(live: Live, host: str) -> str:
    """Return why the host does not accept the new password, or nothing."""
    if host not in live.hosts:
        return f"{host} does not answer"
    answer = live.hosts[host].answer(LOGIN)
    if not answer.known:
        return f"{host}: {answer.problem}"
    return "" if answer.value["accepted"] else f"{host}: {answer.value['reason']}"


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
                LOGIN,
                str(server.address),
                site.secret(user).reveal(),
                site.secret(password),
                named,
                replication,
            ),
        )

    return logins


def _api_login(site: Site, server: Server) -> tuple[PatroniLogin, ...]:
    url, password = rest_url(server), site.secret("PATRONI_API_PASSWORD")
    return (PatroniLogin(LOGIN, url, REST_USER, password),)


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
        one_by_one,
        _login("POSTGRES_SUPERUSER", "POSTGRES_SUPERPASS", "=postgres"),
        refused="Patroni 3.3.0 asks PostgreSQL before it takes a new password from patroni.yml: a leader that "
        "loses its connection before that reload stays shut out, as the lab has shown",
    ),
    Rotation("patroni-api", "PATRONI_API_PASSWORD", member_by_member, _api_login),
)
