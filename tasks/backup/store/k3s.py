"""K3s in the repository: a snapshot of etcd, and the token without which no K3s starts from it. Pure.

What pods keep on their own disks, and images, is in no snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Command, Reading
from keybuzz.model.inventory.server import Server
from keybuzz.site.backups.archive import Outflow, Place, Work
from keybuzz.site.site import Site
from tasks.backup.store import places
from tasks.backup.store.service import Source, Stored

_MASTERS, _PORT = "k3s-masters", 6443
NAME = "k3s"
AUTHORITY_SCRIPT = """
import hashlib, http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
asked = http.client.HTTPSConnection(sys.argv[1], int(sys.argv[2]), timeout=5, context=context)
asked.request("GET", "/cacerts")
answer = asked.getresponse()
print(answer.status, hashlib.sha256(answer.read(65536)).hexdigest())
"""
"""The authority of the cluster, which K3s tells anyone: its checksum is part of each token in its long form."""
TAKE_SCRIPT = """
set -eu
k3s=/usr/local/bin/k3s
state=/var/lib/rancher/k3s/server
folder=$state/db/snapshots
drop() {
    for one in "$folder"/kbz-backup-*; do
        [ -e "$one" ] || continue
        $k3s etcd-snapshot delete --etcd-snapshot-dir "$folder" "${one##*/}" >/dev/null 2>&1 || rm -f "$one"
    done
}
trap drop EXIT
drop
$k3s etcd-snapshot save --name kbz-backup --etcd-snapshot-dir "$folder" >&2
set -- "$folder"/kbz-backup-*
[ $# -eq 1 ] && [ -f "$1" ] || { echo "K3s saved a snapshot, and none is in $folder" >&2; exit 1; }
case $1 in *.zip) echo "K3s compresses its snapshots: etcd-snapshot-compress is set" >&2; exit 1 ;; esac
[ -s "$state/token" ] || { echo "$state/token is not there" >&2; exit 1; }
tar --create --file=- --dereference --directory=/ --transform='s|.*/kbz-backup-[^/]*$|snapshot.db|' \\
    --transform='s|.*/token$|token|' "${1#/}" "${state#/}/token"
"""
"""A snapshot that K3s saves on demand stays until it is deleted: this one goes again, also one that was cut off.

The folder is named, because K3s' own configuration may name another one, where this script would not find it.
"""


def ask(site: Site) -> tuple[Reading, ...]:
    """Return the question to each server which authority its cluster has."""
    return tuple(
        Command(
            _question(server),
            ("python3", "-I", "-c", AUTHORITY_SCRIPT, str(server.address), str(_PORT)),
        )
        for server in site.members(_MASTERS)
    )


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return the first server that answers: a snapshot is of the whole cluster, and needs its majority."""
    told = {server.name: _authority(answers, server) for server in site.members(_MASTERS)}
    name = cluster(site, answers)
    fit = [server for server in site.members(_MASTERS) if name and told[server.name][0] == name]
    if not fit:
        why = "; ".join(f"{host}: {found or why}" for host, (found, why) in told.items())
        raise RefusedError(
            f"no server of K3s can be the source: {why}",
            where="k3s",
            hint=proposed("kbz", "health", "k3s"),
        )
    return Source(fit[0].name, str(fit[0].address), name)


def cluster(site: Site, answers: Mapping[str, Answer]) -> str:
    """Return the checksum of the authority; empty when no server tells it, or not the same."""
    found = {told for server in site.members(_MASTERS) if (told := _authority(answers, server)[0])}
    return found.pop() if len(found) == 1 else ""


def _question(server: Server) -> str:
    return f"backup.k3s.{server.name}"


def _authority(answers: Mapping[str, Answer], server: Server) -> tuple[str, str]:
    """Return what a server tells, or why it does not."""
    answer = answers.get(_question(server))
    if answer is None or not answer.known:
        return "", answer.problem if answer else "was not asked"
    if answer.value["exit_code"] != 0:
        said = str(answer.value["stderr"]).strip().splitlines()
        return "", said[-1] if said else "it does not answer"
    status, _, told = str(answer.value["stdout"]).strip().partition(" ")
    if status != "200" or len(told) != 64:
        return "", f"it answers {status}"
    return told, ""


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how a server saves a snapshot and hands it over with the token."""
    del site, image
    return (
        Work(
            f"a snapshot of etcd on {source.host}",
            # These alone: a link in the place of what is written there later would lead elsewhere.
            (
                *("tar", "--extract", "--no-same-owner", "--directory", folder, "--file", "-"),
                *("snapshot.db", "token"),
            ),
            3600.0,
            of=Outflow(source.host, ("sh", "-c", TAKE_SCRIPT)),
        ),
    )


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return the reading of every page of it, by etcd's own checksum, and whether the token opens it."""
    del image
    name = "the snapshot is whole, and the token opens it"
    return (places.program(name, "etcd", "", folder, seconds=3600.0),)


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return nothing: what is restored is what `k3s server --cluster-reset` needs."""
    del place, image
    return ()


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    return ("find", place.folder, "-type", "f")


K3S = Stored(
    service="k3s",
    name=lambda site: NAME,
    image="",
    ask=ask,
    cluster=cluster,
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
    container=False,
    sources=lambda site: frozenset(server.name for server in site.members(_MASTERS)),
)
