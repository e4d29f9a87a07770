"""RabbitMQ in the repository: its definitions, and no messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.inventory.server import Server
from keybuzz.site.backups.archive import Place, Work
from keybuzz.site.site import Site
from tasks.backup.store import places
from tasks.backup.store.contained import INSIDE, awaited, served
from tasks.backup.store.service import Source, Stored
from tasks.rabbitmq.service.readings import AmqpLogin
from tasks.rabbitmq.service.resources import MANAGEMENT_PORT

_GROUP = "rabbitmq"
CLUSTER = "keybuzz-queue"
_NODE = "kbz@localhost"
_ACCOUNT = "999:999"
"""User and group `rabbitmq` of the image."""
IMPORT_SCRIPT = """
set -eu
docker exec "$1" rabbitmqctl --quiet import_definitions /backup/definitions.json
docker exec "$1" rabbitmqctl --quiet export_definitions /tmp/exported.json
docker exec "$1" cat /tmp/exported.json >"$2/exported.json"
"""


def ask(site: Site) -> tuple[Reading, ...]:
    """Return a login to each member: it says of which cluster it is."""
    return tuple(
        AmqpLogin(
            _question(server),
            str(server.address),
            site.secret("RABBITMQ_USER").reveal(),
            site.secret("RABBITMQ_PASSWORD"),
        )
        for server in site.members(_GROUP)
    )


def cluster(site: Site, answers: Mapping[str, Answer]) -> str:
    """Return the name that the members have for their cluster; empty when they do not say, or not the same."""
    names = {found for server in site.members(_GROUP) if (found := _said(answers, server)[0])}
    return names.pop() if len(names) == 1 else ""


def choose(site: Site, answers: Mapping[str, Answer]) -> Source:
    """Return the first member that lets kbz in: definitions are the same on all."""
    name = cluster(site, answers)
    fit = [server for server in site.members(_GROUP) if name and _said(answers, server)[0] == name]
    if not fit:
        why = "; ".join(
            f"{server.name}: {' '.join(_said(answers, server)).strip() or 'no name'}"
            for server in site.members(_GROUP)
        )
        raise RefusedError(
            f"no member of RabbitMQ can be the source: {why}",
            where="rabbitmq",
            hint=proposed("kbz", "health", "rabbitmq"),
        )
    return Source(fit[0].name, str(fit[0].address), name)


def _question(server: Server) -> str:
    return f"backup.rabbitmq.{server.name}"


def _said(answers: Mapping[str, Answer], server: Server) -> tuple[str, str]:
    """Return the name of a member's cluster, or why there is none."""
    answer = answers.get(_question(server))
    if answer is None or not answer.known:
        return "", answer.problem if answer else "was not asked"
    if not answer.value["accepted"]:
        return "", str(answer.value["reason"])
    return str(answer.value["cluster"]), ""


def fill(site: Site, source: Source, image: str, folder: str) -> tuple[Work, ...]:
    """Return how the management API of a member gives its definitions."""
    del image
    login = f"{site.secret('RABBITMQ_USER').reveal()}:{site.secret('RABBITMQ_PASSWORD').reveal()}"
    name = f"the definitions of {source.host}"
    words = ("take", source.address, str(MANAGEMENT_PORT), folder)
    return (places.program(name, "definitions", login, *words, seconds=300.0),)


def prove(folder: str, image: str) -> tuple[Work, ...]:
    """Return the count of what is in them."""
    del image
    name = "the definitions are whole"
    return (places.program(name, "definitions", "", "prove", folder, seconds=300.0),)


def serve(place: Place, image: str) -> tuple[Work, ...]:
    """Return an empty broker that takes them; what it says then must be all of them."""
    return (
        Work("give the files to the server", ("chown", "-R", _ACCOUNT, place.folder), 600.0),
        served(
            place,
            image,
            *("-v", f"{place.folder}:{INSIDE}:ro", "-e", f"RABBITMQ_NODENAME={_NODE}"),
            # As the server's own account, or the first rabbitmqctl makes a cookie that the server cannot read.
            *("--user", _ACCOUNT),
            *("--", "rabbitmq-server"),
        ),
        awaited(place, "rabbitmqctl", "--quiet", "await_startup", "--timeout", "60"),
        Work(
            "give it the definitions",
            ("sh", "-c", IMPORT_SCRIPT, "sh", place.container, place.folder),
            600.0,
        ),
        places.program(
            "compare what it has", "definitions", "", "same", place.folder, seconds=300.0
        ),
    )


def opened(place: Place) -> tuple[str, ...]:
    """Return the command that shows what is in it."""
    return ("docker", "exec", place.container, "rabbitmqctl", "--quiet", "list_users")


RABBITMQ = Stored(
    service="rabbitmq",
    name=lambda site: CLUSTER,
    image="rabbitmq",
    ask=ask,
    cluster=cluster,
    choose=choose,
    fill=fill,
    prove=prove,
    serve=serve,
    opened=opened,
)
