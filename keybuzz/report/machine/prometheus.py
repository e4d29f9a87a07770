"""A sheet for Prometheus: a file that node_exporter's textfile collector reads, or a page to scrape. Pure.

Every series has the label `verb`, so that the files of two verbs can lie in one folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybuzz.model.core.finding import Level
from keybuzz.report.page.sheet import Sheet, module_of


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge of the page."""

    name: str
    help: str


CHECK = Metric(
    "kbz_check_level",
    "Verdict of a check: 0 ok, 1 warn, 2 unknown, 3 critical. No host: a whole cluster.",
)
CHECKS = Metric("kbz_checks", "Checks by verdict.")
SELECTED = Metric("kbz_hosts_selected", "Hosts that the verb was to ask.")
ANSWERED = Metric("kbz_hosts_answered", "Hosts that answered.")
HOST = Metric("kbz_host_answered", "1 when the host answered, 0 when it did not.")
DRIFT = Metric(
    "kbz_drift_differences",
    "What is not as described on a host that answered: resources that kbz run would change.",
)
MEMBERS = Metric("kbz_cluster_members", "Members of a cluster, by module.")
UP = Metric("kbz_cluster_members_up", "Members that count for the quorum now.")
SPARE = Metric(
    "kbz_cluster_members_spare",
    "Members that may stop before writes stop; negative when too many are away.",
)
CODE = Metric("kbz_last_run_exit_code", "Exit code of the verb (docs/reference/exit-codes.md).")
SUCCESS = Metric(
    "kbz_last_run_success", "1 when the verb could judge, 0 when an error ended it before."
)
SECONDS = Metric("kbz_last_run_duration_seconds", "How long the verb took.")
MOMENT = Metric("kbz_last_run_timestamp_seconds", "When the verb ended, in seconds since 1970.")
METRICS = (
    *(CHECK, CHECKS, SELECTED, ANSWERED, HOST, DRIFT, MEMBERS, UP, SPARE),
    *(CODE, SUCCESS, SECONDS, MOMENT),
)

Labels = Mapping[str, str]
Series = tuple[Labels, float]


def prometheus_text(sheet: Sheet, now: float) -> str:
    """Return the sheet in the text format of Prometheus; each series stands in it once."""
    return prometheus_page([(sheet, now)])


def prometheus_page(sheets: Iterable[tuple[Sheet, float]]) -> str:
    """Return the sheets of different verbs, each with the moment when it was made, as one page."""
    found: dict[Metric, list[Series]] = {metric: [] for metric in METRICS}
    for sheet, moment in sheets:
        for metric, series in _parts(sheet, moment):
            found[metric] += series
    return _page((metric, series) for metric, series in found.items() if series)


def _parts(sheet: Sheet, now: float) -> list[tuple[Metric, list[Series]]]:
    verb = {"verb": sheet.verb}
    parts: list[tuple[Metric, list[Series]]] = []
    if sheet.findings:
        parts.append((CHECK, _levels(sheet)))
        levels = Counter(finding.level for finding in sheet.findings)
        parts.append((CHECKS, [(verb | {"level": x.word}, levels[x]) for x in Level]))
    if sheet.selected:
        answered = len(sheet.selected) - len(sheet.silent)
        parts.append((SELECTED, [(verb, len(sheet.selected))]))
        parts.append((ANSWERED, [(verb, answered)]))
        parts.append((HOST, [(verb | {"host": h}, h not in sheet.silent) for h in sheet.selected]))
    if sheet.differences is not None:
        counts = sheet.differences.items()
        parts.append((DRIFT, [(verb | {"host": h}, len(found)) for h, found in counts]))
    if sheet.quorums:
        modules = [(verb | {"module": module}, q) for module, q in sheet.quorums.items()]
        parts.append((MEMBERS, [(labels, quorum.members) for labels, quorum in modules]))
        parts.append((UP, [(labels, quorum.up) for labels, quorum in modules]))
        parts.append((SPARE, [(labels, quorum.spare) for labels, quorum in modules]))
    parts.append((CODE, [(verb, sheet.exit_code)]))
    parts.append((SUCCESS, [(verb, 1.0)]))
    parts.append((SECONDS, [(verb, round(sheet.seconds, 3))]))
    parts.append((MOMENT, [(verb, round(now, 3))]))
    return parts


def prometheus_failure(verb: str, code: int, now: float) -> str:
    """Return the page of a verb that an error ended before it could judge: old verdicts do not stay."""
    labels = {"verb": verb}
    return _page([(CODE, [(labels, code)]), (SUCCESS, [(labels, 0)]), (MOMENT, [(labels, now)])])


def _levels(sheet: Sheet) -> list[Series]:
    """Return one series for each check on each host: the worst of its findings there."""
    worst: dict[tuple[str, str], Level] = {}
    for finding in sheet.findings:
        place = (finding.check, finding.host)
        worst[place] = max(finding.level, worst.get(place, Level.OK))
    return [
        (
            {"verb": sheet.verb, "check": check, "host": host, "module": module_of(check)},
            float(level),
        )
        for (check, host), level in sorted(worst.items())
    ]


def _page(parts: Iterable[tuple[Metric, Iterable[Series]]]) -> str:
    lines: list[str] = []
    for metric, series in parts:
        lines.append(f"# HELP {metric.name} {_escaped(metric.help)}")
        lines.append(f"# TYPE {metric.name} gauge")
        for labels, value in series:
            inner = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels.items())
            lines.append(f"{metric.name}{{{inner}}} {_number(value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
