"""Galera in the repository: a physical copy of a synced member that is not the writer, by mariabackup. Pure.

mariabackup reads the files of the member that it runs on, and at its end holds that member's DDL and commits back for a
moment: the cluster lets such a member fall behind and catch up. No setting of a member changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.inventory.server import Server
from keybuzz.site.backups.archive import Outflow, Place, Work
from keybuzz.site.site import Site
from tasks.backup.store import places
from tasks.backup.store.contained import INSIDE, awaited, contained, served
from tasks.backup.store.service import Source, Stored
from tasks.galera.service.readings import MysqlAnswer, MysqlQuery

_GROUP, _ENTRIES, _PORT = "galera", "proxysql", 3306
_CLOSED = "Connection refused"
"""In the problem of a port on which nothing listens."""
_WRITES = " is the writer"
_ADMINISTRATOR = "root"
_CONTAINER = "mariadb"
_ACCOUNT = "1001:1001"
"""User of the image."""
_STATUS = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_local_state_comment', "
    "'wsrep_ready', 'wsrep_cluster_state_uuid')"
)
WHERE = "SELECT @@hostname"
"""To an entry, as the application: the member answers that it writes to, for it leads every statement there."""
_SERVER = "/opt/bitnami/mariadb/sbin/mysqld"
_SOCKET = "/tmp/kbz.sock"
_OPTIONS = (
    *("--no-defaults", "--basedir=/opt/bitnami/mariadb", f"--datadir={INSIDE}/data"),
    *(f"--socket={_SOCKET}", "--skip-networking", "--skip-grant-tables", "--skip-slave-start"),
    "--pid-file=/tmp/kbz.pid",
)
"""Without wsrep: what is opened is a single server, which no client reaches but over its socket."""
_LOG_SIZE = "--innodb-log-file-size=4M"
"""The least: the log of what is prepared is empty, and would go into the repository."""

TAKE_SCRIPT = """
set -eu
read -r MYSQL_PWD
export MYSQL_PWD
mark=/tmp/kbz-backup.pid
if [ -s $mark ] && grep -qs mariabackup /proc/$(cat $mark)/cmdline; then
    kill -9 $(cat $mark)
fi
echo $$ >$mark
exec mariabackup --defaults-file=/opt/bitnami/mariadb/conf/my.cnf --backup --stream=xbstream --galera-info \\
    --user="$1" --target-dir=/tmp/kbz-backup
"""
"""One that an earlier backup left behind in the container ends first: only one can hold a member's backup lock."""
UNPACK_SCRIPT = "mkdir -p /backup/data && exec mbstream --extract --directory=/backup/data"
PREPARE_SCRIPT = """
set -u
[ -e /backup/data/xtrabackup_checkpoints ] || { echo "the stream has no end: no xtrabackup_checkpoints"; exit 1; }
mariabackup --prepare --target-dir=/backup/data >/tmp/said 2>&1 && exit 0
code=$?
tail -n 3 /tmp/said
exit $code
"""
COUNT_SCRIPT = r"""
set -eu
ask() { mysql --no-defaults --batch --raw --skip-column-names --socket="$1"; }
ask "$1" >/tmp/kbz.sql <<'END'
select concat('select ', quote(concat(table_schema, '.', table_name)), ', count(*) from ', named, '; ',
    'checksum table ', named, ' extended;')
from (select table_schema, table_name, concat('`', replace(table_schema, '`', '``'), '`.`',
    replace(table_name, '`', '``'), '`') as named
    from information_schema.tables where table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') and (
        table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys')
        or (table_schema = 'mysql' and table_name in ('global_priv', 'db', 'tables_priv', 'proc', 'event'))
    )) as known
order by binary table_schema, binary table_name;
END
ask "$1" </tmp/kbz.sql
"""
"""Two lines a table: its rows, and the checksum over all of them. Accounts, grants and routines are counted too."""
PROVE_SCRIPT = r"""
set -u
rm -f /backup/tables.new
socket=$1
shift
"$@" --user=root >/tmp/said 2>&1 &
server=$!
until mysqladmin --no-defaults --socket="$socket" ping >/dev/null 2>&1; do
    kill -0 $server 2>/dev/null || { grep -i error /tmp/said | tail -n 3; exit 1; }
    sleep 0.2
done
count() {
COUNT
}
(count "$socket") >/backup/tables.new 2>/tmp/why
code=$?
mysqladmin --no-defaults --socket="$socket" shutdown >/dev/null 2>&1
wait $server || { tail -n 3 /tmp/said; exit 1; }
[ $code -eq 0 ] || tail -n 3 /tmp/why
exit $code
""".replace("COUNT", COUNT_SCRIPT.strip())
SERVED_SCRIPT = """
set -eu
docker exec "$1" sh -c "$4" sh "$2" >"$3/tables.new"
"""


def ask(site: Site) -> tuple[Reading, ...]:
    """Return the question to each member how it is in its cluster, and to each entry which member it writes to."""
    members = site.members(_GROUP)
    entries = site.members(_ENTRIES) if members else ()
    asked = tuple(
        MysqlQuery(
            _question(server),
            str(server.address),
            _PORT,
            _ADMINISTRATOR,
            site.secret("MARIADB_ROOT_PASSWORD"),
            (_STATUS,),
            former=site.former.get("MARIADB_ROOT_PASSWORD"),
        )
        for server in members
    )
    return asked + tuple(_through(site, entry) for entry in entries)


def _through(site: Site, entry: Server) -> MysqlQuery:
    return MysqlQuery(
        _question(entry),
        str(entry.address),
        _PORT,
        site.secret("MARIADB_APP_USER").reveal(),
        site.secret("MARIADB_APP_PASSWORD"),
        (WHERE,),
        timeout=3.0,
        former=site.former.get("MARIADB_APP_PASSWORD"),
    )


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return a synced member that is not the writer: of the others, the one with the lowest address."""
    why = _unfit(site, answers)
    members = sorted(site.members(_GROUP), key=lambda server: server.address)
    fit = [server for server in members if not why[server.name]]
    if not fit:
        told = sorted(why.values(), key=lambda text: text.endswith(_WRITES))
        raise RefusedError(
            f"no member of Galera can be the source: {'; '.join(told)}",
            where="galera",
            hint=proposed("kbz", "health", "galera"),
        )
    if not cluster(site, answers):
        raise RefusedError(
            "the members of Galera are not of one cluster",
            where="galera",
            hint=proposed("kbz", "health", "galera"),
        )
    first = fit[0]
    return Source(first.name, str(first.address), cluster(site, answers))


def _unfit(site: Site, answers: Mapping[str, Answer]) -> dict[str, str]:
    """Return of each member why it is no source; empty for one that is synced and not the writer."""
    said = {server.name: _said(answers, server) for server in site.members(_GROUP)}
    synced = [server for server in site.members(_GROUP) if not isinstance(said[server.name], str)]
    # Where no entry leads anywhere, none is raised either: it would write to the highest address.
    highest = sorted(synced, key=lambda server: server.address)[-1:]
    writers = _writers(site, answers) or frozenset(server.name for server in highest)
    why = {name: f"{name}: {told}" for name, told in said.items() if isinstance(told, str)}
    of_writers = {name: f"{name}{_WRITES}" for name in writers}
    return {name: why.get(name) or of_writers.get(name, "") for name in said}


def _unfit_now(site: Site, source: Source, answers: Mapping[str, Answer]) -> str:
    """Return why the chosen member is no source any more: a writer may have moved while an image was loaded."""
    try:
        why = _unfit(site, answers)[source.host]
    except RefusedError as error:
        why = error.what
    return f"{why}; nothing was taken, the same command chooses again" if why else ""


def cluster(site: Site, answers: Mapping[str, Answer]) -> str:
    """Return the id of the history that the serving members share; empty when they do not say, or not the same."""
    told = [_said(answers, server) for server in site.members(_GROUP)]
    found = {one["wsrep_cluster_state_uuid"] for one in told if not isinstance(one, str)}
    return found.pop() if len(found) == 1 else ""


def _writers(site: Site, answers: Mapping[str, Answer]) -> frozenset[str]:
    """Return the members that entries write to now; RefusedError where one that may be at work does not say.

    A switchover raises any member, so that the highest address is not always the writer. It is raised in the memory of
    the entries: one that does not run has none raised.
    """
    found: set[str] = set()
    silent: list[str] = []
    for entry in site.members(_ENTRIES):
        answer = answers.get(_question(entry))
        if answer is None or not answer.known:
            problem = answer.problem if answer else "was not asked"
            silent += [] if _CLOSED in problem else [f"{entry.name}: {problem}"]
            continue
        value: MysqlAnswer = answer.value
        rows = value["rows"].get(WHERE)
        if value["denied"] or not isinstance(rows, list) or not rows:
            silent.append(f"{entry.name}: {value['denied'] or 'no member answered through it'}")
        else:
            found.add(str(rows[0][0]))
    if silent and not found:
        raise RefusedError(
            f"no entry tells which member is the writer: {'; '.join(silent)}",
            where="galera",
            hint=proposed("kbz", "health", "proxysql"),
        )
    return frozenset(found)


def _question(server: Server) -> str:
    return f"backup.galera.{server.name}"


def _said(answers: Mapping[str, Answer], server: Server) -> dict[str, str] | str:
    """Return what a synced member says of itself, or why it is none."""
    answer = answers.get(_question(server))
    if answer is None or not answer.known:
        return answer.problem if answer else "was not asked"
    value: MysqlAnswer = answer.value
    if value["denied"]:
        return value["denied"]
    rows = value["rows"].get(_STATUS)
    if not isinstance(rows, list):
        return "it does not say how it is"
    found = {str(row[0]): str(row[1]) for row in rows if len(row) == 2}
    state = found.get("wsrep_local_state_comment", "of no known state")
    if found.get("wsrep_cluster_status") != "Primary":
        return "it is in no Primary component"
    if state != "Synced" or found.get("wsrep_ready") != "ON":
        return f"it is {state}"
    if not found.get("wsrep_cluster_state_uuid"):
        return "it does not say of which cluster it is"
    return found


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how the member's files come over, as of one moment, and are made ready to be opened."""
    argv = ("docker", "exec", "-i", _CONTAINER, "sh", "-c", TAKE_SCRIPT, "sh", _ADMINISTRATOR)
    password = site.secret("MARIADB_ROOT_PASSWORD").reveal()
    return (
        contained(
            f"mariabackup on {source.host}",
            "galera",
            image,
            folder,
            UNPACK_SCRIPT,
            of=Outflow(source.host, argv, f"{password}\n"),
            unfit=partial(_unfit_now, site, source),
        ),
        contained("mariabackup --prepare", "galera", image, folder, PREPARE_SCRIPT),
    )


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return a server that opens the files without a network, and reads every row of every table."""
    return (
        contained(
            "read every row",
            "galera",
            image,
            folder,
            PROVE_SCRIPT,
            *(_SOCKET, _SERVER, *_OPTIONS, _LOG_SIZE),
        ),
        places.program("count them", "tables", "", folder, seconds=300.0),
    )


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return a server on the files, which reads every row once more."""
    return (
        Work("give the files to the server", ("chown", "-R", _ACCOUNT, place.folder), 3600.0),
        served(
            place,
            image,
            *("-v", f"{place.folder}:{INSIDE}", "--user", _ACCOUNT),
            *("--entrypoint", _SERVER, "--", *_OPTIONS, _LOG_SIZE),
        ),
        awaited(place, "mysqladmin", "--no-defaults", f"--socket={_SOCKET}", "ping"),
        Work(
            "read every row that it serves",
            ("sh", "-c", SERVED_SCRIPT, "sh", place.container, _SOCKET, place.folder, COUNT_SCRIPT),
            6 * 3600.0,
        ),
        places.program("count them", "tables", "", place.folder, seconds=300.0),
    )


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    asked = ("--no-defaults", f"--socket={_SOCKET}", "--execute", "show databases")
    return ("docker", "exec", place.container, "mysql", *asked)


GALERA = Stored(
    service="galera",
    name=lambda site: site.secret("GALERA_CLUSTER_NAME").reveal(),
    image="galera",
    ask=ask,
    cluster=cluster,
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
    sources=lambda site: frozenset(server.name for server in site.members(_GROUP)),
)
