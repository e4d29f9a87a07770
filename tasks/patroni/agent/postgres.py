"""Roles, databases and extensions, through psql inside the container; statements travel on stdin."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os

from keybuzz.agent.guard.questions import READ_ONLY
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_ITERATIONS = 4096


def _sql(order: Query, context: Context, statement: str, database: str = "postgres") -> list[str]:
    """Run statements and return their output lines; the container must accept connections."""
    argv = ["psql", "-h", "/var/run/postgresql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    argv += ["-U", order["superuser"], "-d", database, "-f", "-"]
    code, stdout, stderr = context.docker.execute(order["container"], argv, statement.encode())
    if code != 0:
        reason = stderr.decode(errors="replace").strip().splitlines()
        raise AgentError(f"PostgreSQL: {reason[0] if reason else f'psql ended with {code}'}", "")
    return stdout.decode().splitlines()


def _ask(query: Query, context: Context, select: str, database: str = "postgres") -> list[str]:
    """Return the lines of one SELECT, in a transaction that only reads and takes no transaction id."""
    return _sql(query, context, f"{READ_ONLY}\n{select};\nCOMMIT;\n", database)


def _require_leader(query: Query, context: Context) -> None:
    """Replicas answer the same, but only the leader can be written: the others need no psql."""

    def leads() -> bool:
        try:
            return http.request_url("GET", query["url"] + "/primary", 3.0).status == 200
        except OSError as error:
            raise AgentError(f"Patroni does not answer: {error.strerror or error}", "") from None

    if not context.once(f"leads {query['url']}", leads):
        raise AgentError("this member does not lead", "")


def _catalogue(query: Query, context: Context) -> Any:
    """Return all roles and databases, read once for all resources of a request."""
    _require_leader(query, context)
    statement = (
        "select json_build_object('roles', (select json_object_agg(rolname, json_build_object("
        "'login', rolcanlogin, 'replication', rolreplication, 'superuser', rolsuper, "
        "'verifier', coalesce(rolpassword, ''))) from pg_authid), "
        "'databases', (select json_object_agg(d.datname, r.rolname) "
        "from pg_database d join pg_roles r on r.oid = d.datdba), "
        "'private', (select json_object_agg(datname, not has_database_privilege('public', oid, 'CONNECT')) "
        "from pg_database))"
    )
    return context.once(
        f"catalogue {query['url']}", lambda: json.loads("".join(_ask(query, context, statement)))
    )


def literal(text: str) -> str:
    """Return a SQL string literal."""
    return "E'" + _without_nul(text).replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(text: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + _without_nul(text).replace('"', '""') + '"'


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise AgentError("a value holds a NUL character, which PostgreSQL cannot store")
    return text


def read_postgres_role(query: Query, context: Context) -> State:
    """Read a role's attributes; the password is checked against its verifier, which stays here."""
    found = _catalogue(query, context)["roles"].get(query["name"])
    if found is None:
        return {"present": False, "attributes": {}}
    return {
        "present": True,
        "attributes": {
            "login": found["login"],
            "replication": found["replication"],
            "superuser": found["superuser"],
            "password_matches": matches(query["password"], found["verifier"]),
        },
    }


def write_postgres_role(order: Query, context: Context) -> None:
    """Create or alter the role; PostgreSQL gets a SCRAM verifier, so its log never sees the password."""
    name = order["name"]
    exists = _ask(order, context, f"select 1 from pg_roles where rolname = {literal(name)}")
    options = [
        "LOGIN",
        "REPLICATION" if order["replication"] else "NOREPLICATION",
        "SUPERUSER" if order["is_superuser"] else "NOSUPERUSER",
        f"PASSWORD {literal(verifier(order['password']))}",
    ]
    verb = "ALTER" if exists else "CREATE"
    _sql(order, context, f"{verb} ROLE {identifier(name)} WITH {' '.join(options)}")


def read_postgres_no_role(query: Query, context: Context) -> State:
    """Return whether the role is there."""
    there = query["name"] in _catalogue(query, context)["roles"]
    return {"present": True, "attributes": {"there": there}}


def write_postgres_no_role(order: Query, context: Context) -> None:
    """Drop the role; PostgreSQL refuses while anything belongs to it, and that is left as it is."""
    try:
        _sql(order, context, f"DROP ROLE {identifier(order['name'])}")
    except AgentError as error:
        hint = "give what it owns to another role first: REASSIGN OWNED in each database"
        raise AgentError(error.what, hint) from None


def read_postgres_database(query: Query, context: Context) -> State:
    """Read the owner, and whether only he may connect."""
    found = _catalogue(query, context)
    owner = found["databases"].get(query["name"])
    if owner is None:
        return {"present": False, "attributes": {}}
    return {
        "present": True,
        "attributes": {"owner": owner, "private": found["private"][query["name"]]},
    }


def write_postgres_database(order: Query, context: Context) -> None:
    """Create the database, or give it to its owner; a private one is closed to all other roles."""
    name, owner = identifier(order["name"]), identifier(order["owner"])
    found = _ask(
        order, context, f"select 1 from pg_database where datname = {literal(order['name'])}"
    )
    if found:
        _sql(order, context, f"ALTER DATABASE {name} OWNER TO {owner}")
    else:
        _sql(order, context, f"CREATE DATABASE {name} OWNER {owner}")
    if order.get("private"):
        _sql(order, context, f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")


def read_postgres_extension(query: Query, context: Context) -> State:
    """Return whether the extension is in the database, and in which version."""
    if query["database"] not in _catalogue(query, context)["databases"]:
        raise AgentError(f"database {query['database']} does not exist", "")
    statement = f"select extversion from pg_extension where extname = {literal(query['extension'])}"
    rows = _ask(query, context, statement, query["database"])
    if not rows:
        return {"present": False, "attributes": {}}
    return {"present": True, "attributes": {"installed": True, "version": rows[0]}}


def write_postgres_extension(order: Query, context: Context) -> None:
    """Create the extension."""
    _sql(
        order,
        context,
        f"CREATE EXTENSION IF NOT EXISTS {identifier(order['extension'])}",
        order["database"],
    )


_BACKUP_ROLES = ("pg_checkpoint", "pg_read_all_settings", "pg_read_all_stats")
_BACKUP_FUNCTIONS = (
    "pg_catalog.pg_backup_start(text, boolean)",
    "pg_catalog.pg_backup_stop(boolean)",
    "pg_catalog.pg_create_restore_point(text)",
    "pg_catalog.pg_switch_wal()",
)


def read_postgres_backup_rights(query: Query, context: Context) -> State:
    """Return whether the role may do all that a base backup needs, as the database `postgres` says."""
    if query["name"] not in _catalogue(query, context)["roles"]:
        return {"present": False, "attributes": {}}
    role = literal(query["name"])
    asked = [f"pg_has_role({role}, {literal(name)}, 'USAGE')" for name in _BACKUP_ROLES]
    asked += [
        f"has_function_privilege({role}, {literal(name)}, 'EXECUTE')" for name in _BACKUP_FUNCTIONS
    ]
    rows = _ask(query, context, f"select {' and '.join(asked)}")
    return {"present": True, "attributes": {"granted": rows == ["t"]}}


def write_postgres_backup_rights(order: Query, context: Context) -> None:
    """Grant them; what the role may do beyond stays."""
    role = identifier(order["name"])
    functions = "".join(f"GRANT EXECUTE ON FUNCTION {f} TO {role};\n" for f in _BACKUP_FUNCTIONS)
    _sql(order, context, f"GRANT {', '.join(_BACKUP_ROLES)} TO {role};\n{functions}")


def matches(password: str, stored: str) -> bool:
    """Return whether a SCRAM-SHA-256 verifier of PostgreSQL was made from this password."""
    try:
        scheme, parameters, keys = stored.split("$")
        iterations, salt = parameters.split(":")
        expected = _verifier(password, base64.b64decode(salt), int(iterations))
    except (ValueError, OverflowError):
        return False
    return scheme == "SCRAM-SHA-256" and hmac.compare_digest(
        expected.encode(), f"{scheme}${parameters}${keys}".encode()
    )


def verifier(password: str) -> str:
    """Return a new SCRAM-SHA-256 verifier in PostgreSQL's form."""
    return _verifier(password, os.urandom(16), _ITERATIONS)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    if not password.isascii():  # its tables cost a host more to load than all the rest
        from tasks.patroni.agent.saslprep import saslprep

        password = saslprep(password)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"
