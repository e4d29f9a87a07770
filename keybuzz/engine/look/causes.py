"""Which finding explains which: one fault is one finding, and what follows from it is told under it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from keybuzz.model.core.finding import CheckInfo, Finding, Level
from keybuzz.site.module import Module

Bad = Mapping[str, list[Finding]]
"""What is not good, by its check: on a bare fleet each finding would else be compared with every other one."""


def explained(findings: Iterable[Finding], modules: Iterable[Module]) -> tuple[Finding, ...]:
    """Return the findings, each with the check that is at its root. None is left out."""
    infos = {info.id: info for module in modules for info in module.check_infos}
    found = tuple(findings)
    bad: dict[str, list[Finding]] = {}
    for finding in found:
        if finding.level > Level.OK:
            bad.setdefault(finding.check, []).append(finding)
    return tuple(
        replace(finding, cause=_root(finding, bad, infos)) if finding.level > Level.OK else finding
        for finding in found
    )


def of_silent(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the checks of a whole cluster of which no member answered, each with a check of its silent members."""
    found = tuple(findings)
    member = next((finding.check for finding in found if finding.host), "")
    return {finding.check: member for finding in found if not finding.host and member}


def unheard(findings: Iterable[Finding], silent: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return the findings of clusters that nothing was heard of as what follows from that: none of them is good."""
    found = tuple(findings)
    roots = {finding.check: finding.cause or finding.check for finding in found if finding.host}
    return tuple(
        _unheard(finding, roots.get(silent[finding.check], silent[finding.check]))
        if finding.check in silent and not finding.host and not finding.cause
        else finding
        for finding in found
    )


def _unheard(finding: Finding, root: str) -> Finding:
    if finding.level > Level.OK:
        return replace(finding, cause=root)
    return replace(finding, level=Level.UNKNOWN, message="no member answers", cause=root)


def of_another(finding: Finding) -> bool:
    """Return whether it says no more than that a cluster cannot be judged whole, for one member is silent.

    That is the member's own finding, and none of the others'. The finding must have been explained.
    """
    return not finding.host and finding.level is Level.UNKNOWN and bool(finding.cause)


def _root(finding: Finding, bad: Bad, infos: dict[str, CheckInfo]) -> str:
    """Follow the causes upwards; the registry has no circle (tests/unit/engine/look/test_check_infos.py)."""
    cause = next(_causes(finding, bad, infos), None)
    if cause is None:
        return ""
    return _root(cause, bad, infos) or cause.check


def _causes(finding: Finding, bad: Bad, infos: dict[str, CheckInfo]) -> Iterator[Finding]:
    """Yield what explains it: by the registry, and as serious. A warning explains a warning only."""
    info = infos.get(finding.check)
    if info is None:
        return
    unread = info.read_by if finding.level is Level.UNKNOWN else ()
    for check in (*unread, *info.follows_here, *info.follows):
        for other in bad.get(check, ()):
            near = check in info.follows or other.host == finding.host
            if check in unread:
                near = near or not finding.host or not other.host
            serious = other.level > Level.WARN or finding.level is Level.WARN
            if near and serious and not _unread(other, finding, infos):
                yield other


def _unread(other: Finding, finding: Finding, infos: dict[str, CheckInfo]) -> bool:
    """Return whether `other` could not look, while `finding` is a verdict: what is not known explains none."""
    return (
        other.level is Level.UNKNOWN
        and finding.level is not Level.UNKNOWN
        and bool(infos[other.check].read_by)
    )
