"""`kbz secrets stray`: copies of credentials on hosts that must not have them (SEC-2). One request per host."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.proposed import on_host
from keybuzz.model.core.reading import Answer, SecretCopies
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.credentials.accounts import find
from keybuzz.site.credentials.schema import CONTROLLER, files, former_files
from keybuzz.site.credentials.store import hidden
from keybuzz.site.limit import parse_limit
from keybuzz.site.module import Description
from keybuzz.site.site import Site

STORE = "/opt/keybuzz-installer/credentials"
"""Where the store lies in production, and where older scripts copied it to on all servers."""
PATTERNS = (
    f"{STORE}/*",
    f"{STORE}/.*",
    "/tmp/*.env",
    "/tmp/.*.env",
    "/tmp/*_token.txt",
    "/var/tmp/*.env",
    "/root/*.env",
    "/root/.*.env",
    "/run/kbz/*",
    # Where people put them: configurations of ERPNext, histories of shells, clients' own files, lines of cron.
    "/opt/*/site_config.json",
    "/opt/*/*/site_config.json",
    "/opt/*/sites/*/site_config.json",
    *(
        f"{home}/{name}"
        for home in ("/root", "/home/*")
        for name in (".bash_history", ".zsh_history", ".mysql_history", ".my.cnf", ".pgpass")
    ),
    "/etc/crontab",
    "/etc/cron.d/*",
    "/var/spool/cron/crontabs/*",
)
CHECK = "secrets.stray"
_READING = "secret-copies"
_OCTAL = re.compile("[0-7]{1,5}")


@dataclass(frozen=True, slots=True)
class Copy:
    """One file with credentials on a host."""

    path: str
    uid: int
    gid: int
    mode: str
    """Octal digits."""
    names: tuple[str, ...]
    current: tuple[str, ...]
    """Those whose value is the one that is in use."""

    @property
    def open(self) -> bool:
        """True when others than root can read it."""
        octal = self.mode if _OCTAL.fullmatch(self.mode) else "777"
        return self.uid != 0 or int(octal, 8) & 0o077 != 0


@dataclass(frozen=True, slots=True)
class CopiesReport:
    """What was found, and who did not answer."""

    asked: tuple[str, ...]
    findings: tuple[Finding, ...]
    unreachable: Mapping[str, str]

    @property
    def exit_code(self) -> ExitCode:
        """2 when a copy was found, or a file could not be read; 4 when a host could not be asked."""
        if not all(finding.good for finding in self.findings):
            return ExitCode.DIFFERENT
        return ExitCode.UNREACHABLE if self.unreachable else ExitCode.GOOD


def find_copies(workspace: Workspace, limit: tuple[str, ...]) -> CopiesReport:
    """Ask every host of --limit, all by default, and judge what lies there. Nothing is changed."""
    site = workspace.site
    chosen = frozenset(server.name for server in site.servers)
    if limit:
        chosen = parse_limit(limit, site.servers, site.catalogue, workspace.host_sets())
    described = {
        host: HostDescription({CHECK: Description((), (reading(site),))}, ()) for host in chosen
    }
    snapshot = observe(workspace.nornir, described)
    unreachable = dict(snapshot.unreachable)
    findings: list[Finding] = []
    for host, observation in sorted(snapshot.observations.items()):
        answer = observation.answers[_READING]
        if not answer.known:
            unreachable[host] = f"could not look: {answer.problem}"
            continue
        findings += judge(site.server(host), copies(answer), site)
        findings += unread(host, answer)
        if answer.value["truncated"]:
            message = "too many files lie in those places; some were not looked at"
            findings.append(Finding(CHECK, Level.WARN, message, host))
    return CopiesReport(tuple(sorted(chosen)), tuple(findings), unreachable)


def reading(site: Site) -> SecretCopies:
    """Return the question for one host, under a key of its own."""
    schema = schema_with(site.applications)
    names = tuple(name for item in schema for name in (item.name, *item.aliases) if item.secret)
    return SecretCopies(
        _READING,
        PATTERNS,
        names,
        (*files(), *former_files()),
        DigestKey(secrets.token_bytes(32)),
        hidden(site.credentials),
    )


def copies(answer: Answer) -> tuple[Copy, ...]:
    """Return the answer as values."""
    return tuple(_copy(item) for item in answer.value["copies"])


def unread(host: str, answer: Answer) -> tuple[Finding, ...]:
    """Return a finding for each file that could not be read: it may be a copy."""
    return tuple(
        unknown(
            CHECK,
            f"{item['path']}: {item['why']}",
            host,
            f"look: {on_host(host, 'ls', '-l', item['path'])}",
        )
        for item in answer.value["unread"]
    )


def _copy(item: Mapping[str, Any]) -> Copy:
    names, current = tuple(item["names"]), tuple(item["current"])
    return Copy(item["path"], item["uid"], item["gid"], item["mode"], names, current)


def judge(server: Server, found: Iterable[Copy], site: Site) -> tuple[Finding, ...]:
    """Return a finding for each copy: critical, unless this host alone may read what it needs anyway. Pure."""
    findings = []
    for copy in found:
        if CONTROLLER in server.groups and _in_store(copy, site):
            continue
        level, why = _verdict(server, copy)
        live = f"; in use now: {', '.join(copy.current)}" if copy.current else ""
        message = f"{copy.path} (owner {copy.uid}:{copy.gid}, mode {copy.mode}): {why}{live}"
        hint = f"look, then: {on_host(server.name, 'shred', '-u', copy.path)}"
        if copy.current:
            hint += "; rotate what others could read"
        findings.append(Finding(CHECK, level, message, server.name, hint))
    return tuple(findings)


def _in_store(copy: Copy, site: Site) -> bool:
    return PurePosixPath(copy.path).parent == PurePosixPath(site.settings.credentials)


def _verdict(server: Server, copy: Copy) -> tuple[Level, str]:
    foreign = [name for name in copy.names if not _needs(server, name)]
    if CONTROLLER in server.groups:
        return Level.CRITICAL, "a copy of credentials outside of the store"
    if foreign:
        return Level.CRITICAL, f"holds {', '.join(foreign)}, which this host does not need"
    if not copy.names:
        return Level.CRITICAL, "a file of the credential store"
    if copy.open:
        return Level.CRITICAL, f"others than root may read {', '.join(copy.names)}"
    return Level.WARN, f"holds {', '.join(copy.names)}, which this host needs; kbz leaves no file"


def _needs(server: Server, name: str) -> bool:
    item = find(name)
    return item is not None and bool(set(item.consumers) & set(server.groups))
