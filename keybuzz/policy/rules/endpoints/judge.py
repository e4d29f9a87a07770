"""EP-1: applications use the official endpoints: host, port and scheme belong together wherever they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from keybuzz.policy.context import Context, Endpoint
from keybuzz.policy.document import Document, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.resolve import Expanded, Resolution, expanded, expanded_text
from keybuzz.policy.rules.endpoints.mentions import Mention, mentions
from keybuzz.policy.rules.endpoints.siblings import Siblings, named_service
from keybuzz.policy.services import by_port, by_scheme
from keybuzz.policy.violation import Edit, Found, Rule
from keybuzz.site.applications.services import Service, services

_FREE_PORTS = frozenset({22, 8008, 8404, 9100, 9104, 9113, 9121, 9187, 9419, 15692})
"""Where people and monitoring reach a server itself: SSH, exporters of metrics, pages about members and proxies."""
_FREE_KEYS = frozenset({"ansible_host", "ansible_ssh_host"})
"""Where an administrator's tool logs in."""
_FREE_SCHEMES = frozenset({"ssh", "sftp", "git+ssh", "rsync"})
Key = tuple[str, Place]


@dataclass(frozen=True, slots=True)
class _Use:
    """A host that a setting connects to, with all that is known of it."""

    setting: Setting
    mention: Mention
    place: Place
    port: Setting | None
    """The setting of the port, when it is another one."""
    number: int | None
    meant: Service | None
    """The service that scheme, neighbours or name tell."""


def _judge(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    resolution = Resolution(documents)
    broken: set[Key] = set()
    later: list[tuple[Document, _Use, tuple[Key, ...]]] = []
    for document in documents:
        siblings = Siblings(document.settings)
        for setting in document.settings:
            for use, origins in _uses(document, setting, siblings, resolution, context):
                if origins:
                    later.append((document, use, origins))
                    continue
                for found in _wrong(document, use, context):
                    broken.add((document.path, setting.place))
                    yield found
    for document, use, origins in later:
        # What a variable brings is told where the variable is set; here only when it is right there.
        if not broken.intersection(origins):
            yield from _wrong(document, use, context)


def _uses(
    document: Document,
    setting: Setting,
    siblings: Siblings,
    resolution: Resolution,
    context: Context,
) -> Iterator[tuple[_Use, tuple[Key, ...]]]:
    if setting.tag not in ("str", "argument") or not setting.value or setting.key in _FREE_KEYS:
        return
    variables = resolution.of(document)
    for raw, place in setting.lines():
        if raw.lstrip().startswith("#"):
            continue  # a line of an embedded file that is commented out
        value = expanded(raw, variables) if "$" in raw else None
        text = raw if value is None else value.text
        for mention in mentions(text, context.host_pattern):
            at = mention.start if value is None else value.at[mention.start]
            found = Place(place.line, place.column + at)
            origins = () if value is None else _origins(document, value, mention, context)
            yield _use(setting, mention, found, siblings, resolution, document), origins


def _origins(
    document: Document, value: Expanded, mention: Mention, context: Context
) -> tuple[Key, ...]:
    del context
    brought = {value.origins[n] for n in range(mention.start, mention.end)}
    if value.origins[mention.start] is None:
        return ()
    # `.env` next to a compose file has a path of its own; a place alone tells it well enough.
    return tuple(
        (path, origin.place)
        for origin in brought
        if origin is not None
        for path in (document.path, _beside(document.path))
    )


def _beside(path: str) -> str:
    folder = path.rpartition("/")[0]
    return f"{folder}/.env" if folder else ".env"


def _use(
    setting: Setting,
    mention: Mention,
    place: Place,
    siblings: Siblings,
    resolution: Resolution,
    document: Document,
) -> _Use:
    port = siblings.port(setting) if mention.port is None else None
    number = mention.port
    if port is not None:
        text = expanded_text(port.value, resolution.of(document)).strip()
        number = int(text) if text.isdecimal() and len(text) < 6 else None
    meant = by_scheme(mention.scheme) or siblings.kind(setting) or named_service(setting)
    return _Use(setting, mention, place, port, number, meant)


def _wrong(document: Document, use: _Use, context: Context) -> Iterator[Found]:
    if use.number in _FREE_PORTS or use.mention.scheme in _FREE_SCHEMES:
        return
    host = use.mention.host.lower()
    endpoint = context.endpoint(_address(host))
    if endpoint is not None:
        yield from _at_endpoint(document, use, endpoint, context)
    elif host in context.nodes:
        yield from _at_server(document, use, context.nodes[host], context)


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        return IPv4Address(0)


def _at_endpoint(
    document: Document, use: _Use, endpoint: Endpoint, context: Context
) -> Iterator[Found]:
    """Yield why an official address is no endpoint of the service that is meant."""
    host, meant = use.mention.host, use.meant
    if use.number is None:
        if meant is None or not endpoint.targets or _serves(endpoint, meant):
            return
        yield _found(document, use, meant, f"{host} does not serve {meant.title}", context)
    elif endpoint.on_server and use.number in (endpoint.ports[0], 0):
        if use.mention.scheme == "https":
            why = f"{host}:{use.number} speaks http, and no TLS"
            yield _found(document, use, by_port(use.number), why, context)
        elif meant is not None and meant.group not in endpoint.targets:
            yield _found(document, use, meant, f"{host} does not serve {meant.title}", context)
    elif use.number not in endpoint.ports:
        service = meant or by_port(use.number)
        yield _found(document, use, service, f"{host} serves nothing on port {use.number}", context)
    elif meant is not None and use.number not in meant.ports and by_port(use.number) is not None:
        other = by_port(use.number)
        what = other.title if other is not None else "another service"
        yield _found(document, use, meant, f"port {use.number} of {host} is {what}", context)
    else:
        service = by_port(use.number)
        why = context.applications.refusal(
            document.path, service.title if service else "", use.number
        )
        if why:
            yield Found(document.path, use.place, host, why)


def _serves(endpoint: Endpoint, service: Service) -> bool:
    return service.proxies in endpoint.targets


def _at_server(document: Document, use: _Use, node: str, context: Context) -> Iterator[Found]:
    known = context.members.get(node, ())
    if not known:
        return
    told = use.meant if use.meant in known else None
    by_number = by_port(use.number)
    service = told or (by_number if by_number in known else None)
    if service is None and len(known) == 1:
        service = known[0]
    shown = use.mention.host
    means = "is" if shown == node else f"is {node},"
    why = f"{shown} {means} a server, and no endpoint for applications"
    yield _found(document, use, service, why, context)


def _found(
    document: Document, use: _Use, service: Service | None, why: str, context: Context
) -> Found:
    mention = use.mention
    if service is None or service.title not in context.official:
        return Found(document.path, use.place, mention.host, why, _all(context, use))
    endpoint = context.official[service.title]
    port = use.number if use.number in service.ports else service.ports[0]
    scheme = "http://" if service.entry and mention.scheme in ("http", "https") else ""
    instead = f"write {scheme}{endpoint.address}:{port}"
    return Found(
        document.path,
        use.place,
        mention.host,
        why,
        instead,
        edits=tuple(_edits(document, use, str(endpoint.address), port)),
    )


def _all(context: Context, use: _Use) -> str:
    """Return the endpoints that a proxy's clients may have meant."""
    known = context.members.get(context.nodes.get(use.mention.host.lower(), ""), services())
    found = [
        f"{context.official[s.title].address}:{port} ({s.title})"
        for s in known
        if s.title in context.official
        for port in s.ports
    ]
    return f"write {' or '.join(found)}"


def _edits(document: Document, use: _Use, address: str, port: int) -> Iterator[Edit]:
    mention = use.mention
    behind = mention.end - mention.start - len(mention.host)
    old = mention.host
    new = address
    if behind and mention.port is not None:
        old, new = f"{mention.host}:{mention.port}", f"{address}:{port}"
    yield Edit(document.path, use.place, old, new)
    if use.port is not None and use.number != port and use.port.value.strip().isdecimal():
        yield Edit(document.path, use.port.place, use.port.value.strip(), str(port))


_EP_1 = Rule(
    id="EP-1",
    title="Applications use only the official endpoints",
    why="A node fails, moves or stops being the master; the load balancers follow that, and an application"
    " that names a node does not.",
    instead="the service's official address (inventory/groups.yaml), with its port",
    applies_to="every value of every file that is read, as its program will see it (defaults, `.env` next to a"
    " compose file, ARG and ENV, variables of scripts): each address, host name, alias and domain name of a"
    " server that is behind an endpoint, and each endpoint with a port or a scheme that it does not serve."
    " Host and port may be two settings. Other servers are free, and so are comments, names and labels, the"
    " hosts of ssh, scp, rsync and ping, port 22 and the exporters of metrics.",
    judge=_judge,
)


def ep_1() -> Rule:
    """Return the rule, with the ports that the modules' services have."""
    ports = ", ".join(
        f"{' or '.join(map(str, service.ports))} ({service.title})" for service in services()
    )
    return replace(_EP_1, instead=f"{_EP_1.instead}: {ports}")
