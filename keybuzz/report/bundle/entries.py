"""The files of a bundle, from what was gathered: every text is masked by the rules for what a host says, once more."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.agent.guard.marks import unmarked
from keybuzz.engine.bundle.gather import Gathered
from keybuzz.model.core.record import drift_document, report_document
from keybuzz.model.core.visible import visible
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.reports.drift import DriftReport
from keybuzz.report.text.history import run_document
from keybuzz.report.text.report import report_text
from keybuzz.site.site import Site

Hide = Callable[[Any], Any]
"""Takes the secrets out of a value of JSON."""
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive."""

    path: str
    about: str
    text: str


def entries(gathered: Gathered, site: Site, kbz: Mapping[str, str], hide: Hide) -> Iterator[Entry]:
    """Yield the files; `kbz` is the version and revision of this program."""
    parts = (
        _versions(gathered, site, kbz),
        *_judged(gathered),
        _containers(gathered),
        *_configs(gathered),
        *_logs(gathered),
        _journal(gathered),
    )
    for path, about, content in parts:
        shown = hide(content)
        text = shown if isinstance(shown, str) else _json(shown)
        yield Entry(path, about, visible(unmarked(text)))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


Part = tuple[str, str, Any]
"""A path in the archive, what it is, and its text or document."""


def _versions(gathered: Gathered, site: Site, kbz: Mapping[str, str]) -> Part:
    images = {
        name: {
            "frozen": version.frozen,
            "reference": version.reference,
            "digest": version.digest or None,
            "reason": version.reason or None,
        }
        for name, version in site.versions.items()
    }
    document = {
        "kbz": {**kbz, "python": platform.python_version()},
        "images": images,
        "hosts": {host: dict(told.programs) for host, told in sorted(gathered.told.items())},
    }
    return "versions.json", "versions of kbz, of images and of the programs of each host", document


def _judged(gathered: Gathered) -> Iterator[Part]:
    report = gathered.report
    yield "health.txt", "what kbz health says", report_text(report, _WIDTH)
    yield "report.json", "plan, findings and topologies (report.json)", report_document(report)
    yield "plan.txt", "what kbz plan says", report_text(_as_plan(gathered), _WIDTH)
    if "drift.json" not in gathered.left_out:
        document = drift_document(DriftReport(gathered.drift))
        yield "drift.json", "what differs or is not described, now", document


def _as_plan(gathered: Gathered) -> Any:
    from dataclasses import replace

    return replace(gathered.report, verb="plan", findings=())


def _containers(gathered: Gathered) -> Part:
    """Return each container as Docker tells it; of its environment the names only."""
    document: dict[str, dict[str, Any]] = {}
    for host, resource in _resources(gathered):
        if not isinstance(resource, Container):
            continue
        state = gathered.survey.snapshot.observations[host].states.get(resource.identity)
        if state is None:
            continue
        attributes = dict(state.attributes)
        names = attributes.get("environment")
        if isinstance(names, tuple | list):
            attributes["environment"] = tuple(item.partition("=")[0] for item in names)
        document.setdefault(host, {})[resource.container] = {
            "described": resource.image,
            "there": state.present,
            "problem": state.problem or None,
            "attributes": attributes,
        }
    return "containers.json", "containers as Docker tells them; no values of variables", document


def _configs(gathered: Gathered) -> Iterator[Part]:
    for host, resource in _resources(gathered, every=True):
        if isinstance(resource, File):
            yield (
                f"configs/{host}/{resource.path.lstrip('/')}",
                "as described, not as found; differences are in plan.txt",
                resource.text.masked(),
            )


def _resources(gathered: Gathered, *, every: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the resources of the named modules, with `every` also those of silent hosts."""
    found = gathered.survey
    for host in sorted(found.selected):
        if not every and host not in found.snapshot.observations:
            continue
        described = found.descriptions[host].modules
        for module in gathered.wish.named:
            if module.name in described:
                yield from ((host, item) for item in described[module.name].resources)


def _logs(gathered: Gathered) -> Iterator[Part]:
    for host, told in sorted(gathered.told.items()):
        for log in told.logs:
            if log.text:
                lines = gathered.wish.lines
                about = f"at most {lines} lines{f'; {log.note}' if log.note else ''}"
                yield f"logs/{host}/{log.name}.log", about, log.text


def _journal(gathered: Gathered) -> Part:
    runs = [
        {
            **run_document(run.record),
            "hosts": [
                {"host": h.host, "outcome": h.outcome.value, "changes": h.changes, "what": h.what}
                for h in run.hosts
            ],
        }
        for run in gathered.runs
    ]
    return "journal.json", "the newest runs of these modules, and how each host ended", runs
