"""Whether the controller has mc with its one alias (MIN-5). Pure; ids are stable."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.files import Artefact
from tasks.minio_client import values
from tasks.minio_client.alias import MinioAlias
from tasks.minio_client.desired import LOGIN

_RUN = proposed("kbz", "run", "minio-client")
_PRIVATE = "0600"


def checks(live: Live) -> tuple[Finding, ...]:
    """Judge the controller; one that was not asked is never silently left out."""
    findings: list[Finding] = []
    for server in live.members:
        if server.name not in live.hosts:
            why = live.unreachable.get(server.name, "was not asked")
            findings.append(unknown("minio-client.reachable", why, server.name))
            continue
        findings.append(Finding("minio-client.reachable", Level.OK, "answers", server.name))
        view = live.hosts[server.name]
        for resource in view.resources:
            if isinstance(resource, MinioAlias):
                findings += _of_alias(view, resource)
    return tuple(findings)


def _of_alias(view: HostView, alias: MinioAlias) -> tuple[Finding, ...]:
    return (_alias(view, alias), _other(view, alias), _program(view), _entry(view, alias))


def _alias(view: HostView, alias: MinioAlias) -> Finding:
    check, host = "minio-client.alias", view.server.name
    if why := view.unread(alias.identity):
        return unknown(check, why, host)
    if wrong := _wrong(view, alias):
        return Finding(check, Level.CRITICAL, wrong, host, _RUN)
    return Finding(check, Level.OK, f"{alias.alias} is {alias.url}", host)


def _wrong(view: HostView, alias: MinioAlias) -> str:
    """Return what is wrong with the alias; empty when nothing is."""
    if not view.present(alias.identity):
        return f"there is no {alias.path}, and so no alias {alias.alias}"
    url = view.attribute(alias.identity, "url")
    if not url:
        return f"mc has no alias {alias.alias}"
    if url != alias.url:
        return f"the alias {alias.alias} leads to another place than {alias.url}"
    if view.attribute(alias.identity, "credentials") is not True:
        return f"the alias {alias.alias} has other credentials than minio.env"
    mode = view.attribute(alias.identity, "mode")
    return "" if mode == _PRIVATE else f"{alias.path} has mode {mode}: others may read its keys"


def _other(view: HostView, alias: MinioAlias) -> Finding:
    check, host = "minio-client.alias.other", view.server.name
    if why := view.unread(alias.identity):
        return unknown(check, why, host)
    others = view.attribute(alias.identity, "others")
    if not view.present(alias.identity) or others == ():
        return Finding(check, Level.OK, "no other leads there", host)
    if not isinstance(others, tuple):
        return unknown(check, "its aliases are not told", host)
    text = f"{', '.join(others)}: the one alias is {alias.alias} (MIN-5)"
    return Finding(check, Level.WARN, text, host, "mc alias rm NAME, when its owner agrees")


def _program(view: HostView) -> Finding:
    check, host = "minio-client.program", view.server.name
    pinned = [item for item in view.resources if isinstance(item, Artefact)]
    if not pinned:
        text = "versions.yaml has no sha256 for mc, so that kbz places none"
        hint = "write the sha256 of the release under binaries: mc"
        return Finding(check, Level.WARN, text, host, hint)
    (program,) = pinned
    if why := view.unread(program.identity):
        return unknown(check, why, host)
    if not view.present(program.identity):
        return Finding(check, Level.CRITICAL, f"there is no {values.PROGRAM}", host, _RUN)
    if view.attribute(program.identity, "digest") != program.digest:
        text = f"{values.PROGRAM} is another release than the one of versions.yaml"
        return Finding(check, Level.CRITICAL, text, host, _RUN)
    return Finding(check, Level.OK, "as in versions.yaml", host)


def _entry(view: HostView, alias: MinioAlias) -> Finding:
    check, host, answer = "minio-client.entry", view.server.name, view.answer(LOGIN)
    if not answer.known:
        return unknown(check, answer.problem, host)
    if answer.value["accepted"]:
        return Finding(check, Level.OK, f"{alias.url} lets it in", host)
    text = f"{alias.url} does not let it in: {answer.value['reason'] or 'no reason was given'}"
    return Finding(check, Level.CRITICAL, text, host, proposed("kbz", "health", "minio"))
