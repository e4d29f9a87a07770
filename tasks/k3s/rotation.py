"""A new token for a K3s cluster that is in use: told to one master, then every node restarts with it. Pure.

The token seals what a server needs from etcd to start, and lets nodes join. A master takes the new one for the cluster
(`k3s token rotate`); each node is then restarted with it, masters before workers, one at a time behind the gates of any
roll. Until its turn a node goes on with what it has: nothing that is joined asks for the token again.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.model.host.files import File
from keybuzz.model.host.system import SystemdUnit
from keybuzz.site.module import Rotation
from tasks.k3s import values
from tasks.k3s.members import TOKEN_ID, masters, places, unproven, writer
from tasks.k3s.ready import not_ready
from tasks.k3s.service.resources import K3sToken, K3sTokenRotated
from tasks.k3s.steps import JOIN_TIMEOUT, roll, snapshot


def next_stage(live: Live) -> Stage | None:
    """Return the next stage: the cluster takes the token, every node knows it, then each restarts with it."""
    ready = [change for change in live.changes() if change.action is not Action.LATER]
    for change in ready:
        if not _of_token(change):
            raise RefusedError(
                f"{change.identity} is not as described, and a rotation changes the token only",
                where=change.host,
                hint="kbz run k3s first",
            )
    if ready and not _rotated(live):
        return _rotate(live, ready)
    if files := tuple(change for change in ready if isinstance(change.resource, File)):
        return Stage("every node knows the new token", files)
    units = [change for change in ready if isinstance(change.resource, SystemdUnit)]
    if units:
        return roll(live, min(units, key=lambda c: (not places(live)[c.host].master, c.host)))
    gate = _all_ready(live)
    return None if gate.reason(live) is None else Stage("wait", (), after=gate)


def _of_token(change: Change) -> bool:
    """Return whether it is the token, the file that holds it, or the unit that restarts with it."""
    resource = change.resource
    return (
        isinstance(resource, K3sToken)
        or (isinstance(resource, SystemdUnit) and change.action is Action.UPDATE)
        or (isinstance(resource, File) and resource.path == values.CONFIG)
    )


def _rotated(live: Live) -> bool:
    """Return whether any master has the new token, and none waits for a proof: then the cluster has it."""
    return not unproven(live) and any(
        live.hosts[host].attribute(TOKEN_ID, "token_matches") is True
        for host in masters(live)
        if host in live.hosts
    )


def _refuse_stopped(live: Live) -> None:
    """Refuse while a master that was told does not run: only its own journal says what the data is sealed with.

    K3s starts with the token of config.yaml, which is still the former one, so that either end of the request may keep
    it from starting. Another master is not told instead: two of three would be between two tokens.
    """
    for host in unproven(live):
        if places(live)[host].state == "active":
            continue
        journal = on_host(host, "journalctl", "-u", "k3s", "-n", "50", "--no-pager")
        way_out = proposed("kbz", "explain", "k3s.token.sealed")
        raise RefusedError(
            f"it was told a new token, which K3s has not confirmed, and does not run: {not_ready(live, [host])}",
            where=host,
            hint=f"{journal} says which token the data is sealed with; {way_out} has the way out; "
            "no other master was told; when it serves, the same command goes on",
        )


def _rotate(live: Live, ready: list[Change]) -> Stage:
    _refuse_stopped(live)
    teller = next(iter(unproven(live)), writer(live))
    tokens = [change.resource for change in ready if isinstance(change.resource, K3sToken)]
    if teller is None or not tokens:
        raise RefusedError(
            "no master is ready, or none says which token the cluster has",
            where=live.module,
            hint="kbz health k3s",
        )
    wish = K3sTokenRotated(tokens[0].token, tokens[0].former)
    told = Change(
        teller, live.module, wish, Action.UPDATE, (Difference("token_matches", False, True),)
    )
    return Stage(
        "the cluster takes the new token",
        (*snapshot(live, teller, "kbz-before-token"), told),
        before=_all_ready(live),
        after=Gate(
            f"{teller} has the new token",
            lambda now: None if _rotated(now) else "no master has it",
            JOIN_TIMEOUT,
        ),
    )


def _all_ready(live: Live) -> Gate:
    everybody = [server.name for server in live.members]
    return Gate("all nodes are Ready", lambda now: not_ready(now, everybody), JOIN_TIMEOUT)


ROTATIONS = (Rotation("k3s-token", "K3S_TOKEN", next_stage, lambda site, server: ()),)
"""Its proof is the restart: no node comes back, and none is Ready, with a token that the cluster does not take."""
