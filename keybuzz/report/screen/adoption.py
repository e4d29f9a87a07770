"""What `kbz adopt` found, as text and as a document. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.record import FORMAT_VERSION
from keybuzz.model.reports.adoption import Adoption, Interruption, ModuleAdoption, Way
from keybuzz.report.screen.hosts import shown_hosts


def adoption_text(found: Adoption) -> str:
    """Return everything that was found, module by module, and what a run would do in numbers."""
    sections = ["\n".join(_module_lines(item)) for item in found.modules]
    away = [f"unreachable {host}: {why}" for host, why in sorted(found.unreachable.items())]
    decisions = sum(len(item.refusals) + _asked(item) for item in found.modules)
    waits = sum(i.seconds or 0 for item in found.modules for i in item.interruptions)
    last = (
        "everything is as described"
        if found.done
        else f"{sum(item.files for item in found.modules)} files to write, "
        f"{sum(item.restarts for item in found.modules)} restarts, up to {waits:.1f} s of interruption, "
        f"{decisions} decisions to take"
    )
    return (
        "\n\n".join([*sections, *away, f"{last}; {found.seconds:.1f} s; nothing was changed"])
        + "\n"
    )


def _asked(item: ModuleAdoption) -> int:
    """Return how many resources of a module ask for a decision without a refusal, on however many hosts."""
    return len({d.identity for d in item.differences if d.way is Way.DECISION and d.effects})


def _module_lines(item: ModuleAdoption) -> Iterator[str]:
    yield item.module
    for host, state in item.running:
        yield f"  {host}: {state}"
    for way in Way:
        grouped: dict[str, list[str]] = defaultdict(list)
        for difference in item.differences:
            if difference.way is way:
                grouped[difference.identity].append(difference.host)
        if grouped:
            frozen = "; forbidden by the freeze until it is lifted" if item.frozen else ""
            yield f"  {way.value}{frozen}:"
        for identity, hosts in grouped.items():
            yield f"    {identity} on {shown_hosts(hosts)}"
            yield from _effects(item, identity, way)
    for refusal in item.refusals:
        yield f"  a run refuses: {refusal.what}"
        if refusal.hint:
            yield f"    → {refusal.hint}"
    if item.entries:
        yield f"  bring {' and '.join(item.entries)} over first: an old entry does not follow a new leader"
    yield f"  {_foretold(item)}"


def _effects(item: ModuleAdoption, identity: str, way: Way) -> Iterator[str]:
    """Yield what a decision about a resource is about, host by host."""
    for difference in item.differences:
        if way is Way.DECISION and (difference.identity, difference.way) == (identity, way):
            yield from (f"      {difference.host}: {effect}" for effect in difference.effects)


def _foretold(item: ModuleAdoption) -> str:
    if not item.differences and not item.refusals:
        return "is as described: a run changes nothing"
    if item.refusals:
        return "a run changes nothing before that is decided"
    lift = " --lift-freeze " + item.module if item.frozen else ""
    return (
        f"{proposed('kbz', 'run', item.module)}{lift} would write {item.files} of {len(item.differences)} "
        f"differences as files and make {item.restarts} restarts, one member at a time"
        f"{_waits(item.interruptions)}"
    )


def _waits(found: tuple[Interruption, ...]) -> str:
    """Return how long clients wait, a line for each service, with where the figure comes from."""
    return "".join(
        f"\n    clients of {item.service} wait "
        f"{'for a time that is not known' if item.seconds is None else f'up to {item.seconds:.1f} s in all'}, "
        f"{item.members} of its members restart ({item.source})"
        for item in found
    )


def adoption_document(found: Adoption) -> dict[str, Any]:
    """Return it as a document."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "adopt",
        "seconds": round(found.seconds, 3),
        "unreachable": dict(found.unreachable),
        "modules": [
            {
                "module": item.module,
                "running": dict(item.running),
                "frozen": item.frozen,
                "files": item.files,
                "restarts": item.restarts,
                "entries_first": list(item.entries),
                "differences": [
                    {
                        "host": d.host,
                        "resource": d.identity,
                        "way": d.way.name.lower(),
                        "attributes": list(d.attributes),
                        "forbidden_by_freeze": d.frozen,
                        "effects": list(d.effects),
                    }
                    for d in item.differences
                ],
                "interruptions": [
                    {
                        "service": i.service,
                        "members": i.members,
                        "seconds": None if i.seconds is None else round(i.seconds, 3),
                        "source": i.source,
                    }
                    for i in item.interruptions
                ],
                "refusals": [{"what": r.what, "hint": r.hint or None} for r in item.refusals],
            }
            for item in found.modules
        ],
    }
