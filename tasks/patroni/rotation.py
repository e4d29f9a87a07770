"""New passwords for a live cluster, in the order that keeps it working. Pure.

The role takes the new password first, then the members' patroni.yml. In between, replicas go on over the connections
that they have, and the controller comes in over the local socket, which asks for no password: whoever is cut off here
can go on. The other way round, a replica that reconnects in between would hold up the very gate of the role's change.

What Patroni itself uses goes member by member, the leader last: a member that takes it badly is then a replica. The
superuser's password is no longer among it, because Patroni comes to its own member over the local socket. One that did
not yet read that cannot take a new password either once it is shut out (3.3.0 asks PostgreSQL first).
"""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.reading import ContainerCommand
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.host.login import refusal
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Rotation
from keybuzz.site.site import Site
from tasks.patroni import values
from tasks.patroni.applications import password
from tasks.patroni.checks import not_ready
from tasks.patroni.members import leader, leaders
from tasks.patroni.rollout import JOIN_TIMEOUT, START_TIMEOUT
from tasks.patroni.service.offer import ACCOUNTS, PostgresDatabase
from tasks.patroni.service.readings import PatroniLogin, PostgresLogin
from tasks.patroni.service.resources import Role
from tasks.patroni.service.rest import PatroniRestPassword
from tasks.patroni.values import CONFIGURATION, REST_USER

LOGIN = "a login with the new password"
"""Name of the reading; the stages look at it too."""
LOCAL = "Patroni's own connections come over the socket"
_NETWORK = (
    "SELECT application_name || ' comes from ' || host(client_addr) FROM pg_stat_activity "
    "WHERE application_name LIKE 'Patroni%' AND client_addr IS NOT NULL"
)
"""What may not be: says nothing when all is well."""
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

    Without a leader the role cannot be read. A real login tells then whether it has the new password: members whose
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


def superuser(live: Live) -> Stage | None:
    """Return the next stage for the superuser's password; RefusedError while a Patroni would be shut out by it."""
    roles, _ = _changes(live)
    for host in live.hosts if roles else ():
        if why := refusal(live.hosts[host].answer(LOCAL)):
            raise RefusedError(
                f"Patroni depends on the superuser's password there: {why}",
                where=host,
                hint="it has not read `use_unix_socket` yet, or kept a connection: kbz restart patroni",
            )
    return one_by_one(live)


def member_by_member(live: Live) -> Stage | None:
    """Return the next stage for a password that only files hold: one member after the other, the leader last."""
    roles, files = _changes(live, (PatroniRestPassword,))
    if roles:
        raise _foreign(roles[0])
    if files:
        change = min(files, key=lambda found: (found.host == leader(live), found.host))
        return Stage(f"{change.host} uses it", (change,), after=_member_proven(change.host))
    return _settle(live)


def _changes(
    live: Live, by_file: tuple[type[Resource], ...] = ()
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Return the changes of roles and of patroni.yml; RefusedError when anything else differs.

    Args:
        live: The cluster.
        by_file: Kinds of what the file brings by itself: they need no step of their own.
    """
    ready = [
        change
        for change in live.changes()
        if change.action is not Action.LATER and not isinstance(change.resource, by_file)
    ]
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
    why = refusal(live.hosts[host].answer(LOGIN))
    return f"{host}: {why}" if why else ""


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


_superuser_login = _login("POSTGRES_SUPERUSER", "POSTGRES_SUPERPASS", "=postgres")


def _superuser(site: Site, server: Server) -> tuple[PostgresLogin | ContainerCommand, ...]:
    asked = ContainerCommand(LOCAL, values.CONTAINER, values.asking(site, _NETWORK))
    return (*_superuser_login(site, server), asked)


def _api_login(site: Site, server: Server) -> tuple[PatroniLogin, ...]:
    url, password = values.rest_url(server), site.secret("PATRONI_API_PASSWORD")
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
        followers=("backup",),
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
        superuser,
        _superuser,
    ),
    Rotation("patroni-api", "PATRONI_API_PASSWORD", member_by_member, _api_login),
)


def account_rotations(site: Site) -> tuple[Rotation, ...]:
    """Return a rotation for each role; the pools take the new password too where one of its databases is pooled."""
    found = [item for _, item in site.applications.parts(PostgresDatabase)]
    databases = {item.user: item.name for item in found}
    pooled = {item.user for item in found if item.pool}
    return tuple(
        Rotation(
            ACCOUNTS.rotation(user),
            ACCOUNTS.credential(user).name,
            next_stage,
            _account_login(user, database),
            followers=("postgres-proxy",) if user in pooled else (),
        )
        for user, database in databases.items()
    )


def _account_login(user: str, database: str) -> Callable[[Site, Server], tuple[PostgresLogin, ...]]:
    def logins(site: Site, server: Server) -> tuple[PostgresLogin, ...]:
        return (PostgresLogin(LOGIN, str(server.address), user, password(site, user), database),)

    return logins
