"""`kbz adopt --take-credentials`: the credentials that live services use, for the store that lacks them.

1. hosts say what older installations left in containers and files; 2. each value is tried by the logins with which a
rotation proves one, on every member; 3. what all members accept is the live one. A credential that no login proves
(a cookie) is taken when every place agrees. Nothing is written on a host, and no value is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keybuzz.engine.change.rotate import with_credentials
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Reading
from keybuzz.model.core.resource import Json
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.candidates import CredentialCandidates
from keybuzz.model.host.login import refusal
from keybuzz.model.reports.taking import Taken, Taking
from keybuzz.site.credentials.check import is_weak
from keybuzz.site.credentials.file import why_not
from keybuzz.site.credentials.schema import Credential, find, schema
from keybuzz.site.credentials.store import generate
from keybuzz.site.module import Description, Module, Rotation

_READING = "credential-candidates"
_MOST = 4
"""Values of one credential that are tried: each is a login on every member, and services count failed ones."""

Found = Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]]
"""Credential to its values in clear, each with its places and their hosts. It never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What became of one credential."""

    item: Credential
    value: str = ""
    """Empty when none is taken."""
    proof: str = ""
    same: bool = False
    why: str = ""


def take(workspace: Workspace, module: Module) -> Taking:
    """Return what the store would take over; RefusedError or ContactError when it cannot be told."""
    if not module.places:
        raise RefusedError(
            f"where older installations keep credentials of {module.name} is not described",
            where=module.name,
            hint="put the live values into the credential store",
        )
    found, problems = _found(workspace, module)
    base = _with_names(workspace, found)
    stored = workspace.site.credentials
    judged = [_judged(base, module, item, found, stored.get(item.name)) for item in _items(module)]
    return Taking(
        module.name,
        tuple(
            Taken(
                one.item.name,
                one.item.file,
                found[one.item.name][one.value],
                one.proof,
                Secret(one.item.name, one.value),
                _way_out(module, one.item) if is_weak(one.item, one.value) else "",
            )
            for one in judged
            if one.value
        ),
        tuple(one.item.name for one in judged if one.same),
        {one.item.name: one.why for one in judged if one.why},
        problems,
    )


def _items(module: Module) -> tuple[Credential, ...]:
    items = (find(place.credential) for place in module.places)
    return tuple(item for item in items if item is not None)


def _found(workspace: Workspace, module: Module) -> tuple[Found, tuple[str, ...]]:
    """Ask every host that may hold one of them; ContactError when a member does not answer."""
    groups = {module.group, *(group for item in _items(module) for group in item.consumers)}
    hosts = {server.name for group in groups for server in workspace.site.members(group)}
    asked = Description((), (CredentialCandidates(_READING, module.places),))
    present = workspace.present(frozenset(hosts))
    seen = observe(
        workspace.nornir, {host: HostDescription({module.name: asked}, ()) for host in present}
    )
    wanted = {place.credential for place in module.places}
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    problems: list[str] = []
    unread = dict(seen.unreachable)
    for host, observation in sorted(seen.observations.items()):
        answer = observation.answers[_READING]
        if not answer.known:
            unread[host] = answer.problem
            continue
        problems += [f"{host}: {problem}" for problem in answer.value["problems"]]
        for name, place, digits in answer.value["found"]:
            if name in wanted and (value := _decoded(digits)):
                values = found.setdefault(name, {})
                values.setdefault(value, defaultdict(list))[place].append(host)
    for server in workspace.site.members(module.group):
        if server.name in unread:
            raise ContactError(
                f"cannot be asked what it holds: {unread[server.name]}",
                where=server.name,
                hint="every member must answer before a credential is taken over",
            )
    problems += [f"{host}: {why}" for host, why in sorted(unread.items())]
    frozen = {
        name: {
            value: {place: tuple(hosts) for place, hosts in places.items()}
            for value, places in values.items()
        }
        for name, values in found.items()
    }
    return frozen, tuple(problems)


def _decoded(digits: str) -> str:
    """Return a value that the store can hold; empty for anything else that a host says."""
    try:
        value = bytes.fromhex(digits).decode()
    except ValueError:
        return ""
    return value if value.isprintable() else ""


def _with_names(workspace: Workspace, found: Found) -> Workspace:
    """Return the workspace with the names that the live service has, and something for each secret that is missing."""
    known = dict(workspace.site.credentials)
    for name, values in found.items():
        item = find(name)
        if item is not None and not item.secret and len(values) == 1:
            known[name] = Secret(name, next(iter(values)))
    for item in schema():
        if item.name not in known:
            known[item.name] = Secret(item.name, item.default or generate(item))
    candidates = {
        f"{name} {number}": Secret(name, value)
        for name, values in found.items()
        for number, value in enumerate(values)
    }
    # Once with all of them: what a login is answered is masked whatever it holds.
    return with_credentials(with_credentials(workspace, {**known, **candidates}), known)


def _judged(
    workspace: Workspace, module: Module, item: Credential, found: Found, secret: Secret | None
) -> _Judged:
    """Judge one credential; the store has `secret` for it, and the workspace something in any case."""
    values = sorted(found.get(item.name, {}), key=lambda v: -_weight(found[item.name][v]))
    stored = "" if secret is None else secret.reveal()
    if not values and stored and _proving(workspace, module, item) is None:
        return _Judged(item)  # nothing contradicts what the store has
    if not item.secret:
        return _by_places(item, values, stored, "every place says the same")
    rotation = _proving(workspace, module, item)
    if rotation is None:
        return _by_places(item, values, stored, "every place says the same; no login proves it")
    why = _refused(workspace, module, rotation)
    if not why and stored:
        return _Judged(item, same=True)
    if not why:
        return _Judged(
            item, why="its members accept any value, so that no login tells the live one"
        )
    for value in [value for value in values if value != stored][:_MOST]:
        candidate = {**workspace.site.credentials, item.name: Secret(item.name, value)}
        if _refused(with_credentials(workspace, candidate), module, rotation):
            continue
        return _fit(item, value, "a login on every member proved it")
    tried = f"{len(values)} found, and none is accepted" if values else "no value was found"
    if len(values) > _MOST:
        tried = f"{len(values)} found, and none of the {_MOST} in most places is accepted"
    return _Judged(item, why=f"{tried}; with the store's: {why}" if stored else tried)


def _by_places(item: Credential, values: list[str], stored: str, proof: str) -> _Judged:
    if not values:
        return _Judged(item, why="no value was found")
    if len(values) > 1:
        return _Judged(
            item, why=f"{len(values)} values were found, and nothing tells which is live"
        )
    return _Judged(item, same=True) if values[0] == stored else _fit(item, values[0], proof)


def _fit(item: Credential, value: str, proof: str) -> _Judged:
    """Return the value as taken, unless the store would not take it."""
    if why := why_not(item, value):
        return _Judged(item, why=f"its live value is known, and the store does not take it: {why}")
    return _Judged(item, value, proof)


def _way_out(module: Module, item: Credential) -> str:
    """Return what replaces a weak value of a live service, once the service is as described."""
    for rotation in module.rotations:
        if rotation.credential == item.name and not rotation.refused:
            return proposed("kbz", "secrets", "rotate", rotation.service)
    return proposed("kbz", "secrets", "rotations")


def _weight(places: Mapping[str, tuple[str, ...]]) -> int:
    return sum(len(hosts) for hosts in places.values())


def _proving(workspace: Workspace, module: Module, item: Credential) -> Rotation | None:
    """Return the rotation whose logins send this credential: others prove nothing about it."""
    for rotation in module.rotations:
        sent = (
            reading.query()
            for server in workspace.site.members(module.group)
            for reading in rotation.logins(workspace.site, server)
        )
        clear = workspace.site.credentials[item.name].reveal()
        if rotation.credential == item.name and any(clear in _words(query) for query in sent):
            return rotation
    return None


def _sending(clear: str, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Return the logins that send the credential: a rotation also asks what a live cluster need not be yet."""
    return tuple(reading for reading in readings if clear in _words(reading.query()))


def _words(value: Json | object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)


def _refused(workspace: Workspace, module: Module, rotation: Rotation) -> str:
    """Return why a member does not accept the credential of the workspace; empty when all do."""
    site = workspace.site
    clear = site.credentials[rotation.credential].reveal()
    described = {
        server.name: HostDescription(
            {module.name: Description((), _sending(clear, rotation.logins(site, server)))}, ()
        )
        for server in site.members(module.group)
        if server.name not in workspace.absent
    }
    snapshot = observe(workspace.nornir, described, Access.PROBE)
    for host, reason in sorted(snapshot.unreachable.items()):
        raise ContactError(
            f"cannot be asked whether it accepts a login: {reason}",
            where=host,
            hint="every member must answer before a credential is taken over",
        )
    for host, observation in sorted(snapshot.observations.items()):
        for answer in observation.answers.values():
            if reason := refusal(answer):
                return f"{host}: {reason}"
    return ""


def require_unchanged(
    folder: Path, now: Mapping[str, Secret], looked: Mapping[str, Secret]
) -> None:
    """Raise RefusedError when the store is not the one any more that was looked at."""
    if dict(now) != dict(looked):
        raise RefusedError(
            "the credential store has changed since it was looked at; nothing was written",
            where=str(folder),
            hint="run it again",
        )
