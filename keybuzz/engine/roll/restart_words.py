"""From the words of `kbz restart` to a request: a module or a host, and never a guess between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.requests import hosts_since, require_meant, without_resting
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.roll.restart import RestartRequest, reboots, restartable
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class RestartWords:
    """What was typed after `kbz restart`."""

    word: str
    limit: tuple[str, ...] = ()
    reboot: bool = False
    everything: bool = False
    wait: float = 0.0
    timeout: float = 7200.0
    since: int = 0
    pace: Pace = field(default_factory=Pace)


def from_words(workspace: Workspace, words: RestartWords) -> RestartRequest:
    """Return the request; UsageError when the word names neither a module nor a host, or both."""
    modules = {module.name: module for module in all_modules()}
    hosts = {server.name for server in workspace.site.servers}
    if words.word in modules and words.word in hosts:
        raise UsageError(
            f"{words.word} names a module and a host",
            hint=f"{proposed('kbz', 'restart', 'MODULE', '--reboot', '--limit', words.word)} means the host",
        )
    if words.word in modules:
        request = _of_module(workspace, modules[words.word], words)
    elif words.word in hosts:
        request = _of_host(words)
    else:
        raise UsageError(
            f"{words.word} is neither a module nor a host",
            hint=nearest(words.word, [*modules, *sorted(hosts)]),
        )
    return replace(
        request, wait=words.wait, timeout=words.timeout, since=words.since, pace=words.pace
    )


def _of_module(workspace: Workspace, module: Module, words: RestartWords) -> RestartRequest:
    if words.since:
        selected = without_resting(workspace, hosts_since(workspace, words.since), ())
    else:
        selected = workspace.select((module,), words.limit)
        selected = without_resting(workspace, selected, words.limit)
        require_meant(workspace, selected, words.limit, everything=words.everything)
    if words.reboot:
        return RestartRequest(reboots(module.group), selected)
    site = workspace.site
    found = module.describe(site, site.server(min(selected))).resources
    if not any(restartable(item) for item in found):
        raise UsageError(
            f"module {module.name} has no containers and no service",
            hint=f"{proposed('kbz', 'restart', module.name, '--reboot')} reboots its hosts",
        )
    return RestartRequest(module, selected)


def _of_host(words: RestartWords) -> RestartRequest:
    if words.limit:
        raise UsageError("--limit belongs to a module", hint=proposed("kbz", "restart", words.word))
    return RestartRequest(reboots("all"), frozenset({words.word}))
