"""What every connection of a command must pass before anything is asked of a host.

The machine must be the one that was meant, and a command that changes hosts holds their leases: a connection that
replaces a lost one proves and takes both again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.identity import (
    Identities,
    Known,
    Machine,
    other_address,
    other_id,
    other_name,
    visible,
)
from keybuzz.transport.machine_pins import Pin
from keybuzz.transport.replies import HoldReply

if TYPE_CHECKING:
    from keybuzz.transport.session import Session

HOLD_TIMEOUT = 20.0
"""Seconds for a host to say whether its lease is free."""
SILENCE = 60.0
"""Seconds without a sign of life after which a host ends the agent, and with it the lease."""
_SIGNS = 6
"""Signs of life that a controller gives in that time."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds the leases of hosts. It is written on each host, for a controller that finds the lease held."""

    who: str
    controller: str
    verb: str
    since: float
    """Seconds since the epoch, by the controller's clock."""
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells this claim from every other one, so that it does not stand in its own way."""
    silence: float = SILENCE
    """Seconds without a sign of life after which its leases end."""

    def terms(self) -> dict[str, object]:
        """Return what the agent needs to hold a lease for it."""
        return {"holder": self.text(), "token": self.token, "silence": self.silence}

    def text(self) -> str:
        """Return what is written on a host: one line of JSON."""
        return json.dumps(
            {
                "who": self.who,
                "controller": self.controller,
                "verb": self.verb,
                "since": round(self.since, 3),
                "token": self.token,
            }
        )


class HeldError(ContactError):
    """Another controller holds the host's lease."""


class CutError(ContactError):
    """The command is being cut off: it opens no connection."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a command without the agent makes the host compare before it begins; empty fields are not compared."""

    address: str = ""
    pin: str = ""
    names: tuple[str, ...] = ()
    holder: str = ""
    """Text of a claim: the host's lease is held for the length of the command."""


class Meeting:
    """One command's terms, shared by its connections."""

    def __init__(self, identities: Identities | None = None) -> None:
        self.identities = identities or Identities({})
        self.claim: Claim | None = None
        """Set while the command may change hosts."""
        self.cuts = 0
        """How often connections were cut off so far."""
        self._closed = False
        self._seen: dict[str, Machine] = {}
        self._turn = Lock()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let no connection open for the length of the block, nor one that was being opened when it began."""
        self._closed, self.cuts = True, self.cuts + 1
        try:
            yield
        finally:
            self._closed = False

    def require_uncut(self, server: str, cuts: int) -> None:
        """Raise CutError for a connection that began after so many cuts, when there was another since."""
        if self._closed or self.cuts != cuts:
            raise CutError("the command was cut off", where=server)

    def admit(self, server: str) -> None:
        """Raise ContactError before a server is dialed that must not be."""
        self.require_uncut(server, self.cuts)
        self.identities.admit(server)

    def meet(self, server: str, session: Session) -> None:
        """Raise ContactError unless the agent is the server's; take the lease of a host that is changed."""
        machine = session.agent.machine
        if self.claim is None:
            self.identities.require(server, machine)
            return
        self.identities.require_for_change(server, machine)
        hold(session, self.claim)
        self.saw(server, machine)

    def opening(self, server: str) -> dict[str, object] | None:
        """Return what the first frame says of the lease: the machine proves that it is meant before it takes it."""
        if self.claim is None:
            return None
        proof = self.proof(server)
        machine = {"address": proof.address, "pin": proof.pin, "names": list(proof.names)}
        return {**self.claim.terms(), **machine}

    def proof(self, server: str) -> Proof:
        """Return what a command without the agent must prove."""
        known = self.identities.known.get(server)
        holder = self.claim.text() if self.claim is not None else ""
        if known is None:
            return Proof(holder=holder)
        names = tuple(sorted(known.names)) if self.claim is not None else ()
        return Proof(known.address, known.pin.id if known.pin else "", names, holder)

    def refusal(self, server: str, what: str, machine: Machine) -> ContactError:
        """Return why a machine has refused a command without the agent, by its own comparison."""
        known = self.identities.known.get(server) or Known(server, server, frozenset())
        if what == "address":
            return other_address(known, machine)
        return other_id(known, machine.id) if what == "id" else other_name(known, machine.name)

    def saw(self, server: str, machine: Machine) -> None:
        """Remember the machine of a server that is changed and has no pin yet."""
        if self.identities.unpinned(server) and machine.id:
            with self._turn:
                self._seen[server] = machine

    def new_pins(self) -> dict[str, Pin]:
        """Return, by address, what is to be pinned of the machines that were changed for the first time."""
        with self._turn:
            seen = dict(self._seen)
        known = self.identities.known
        return {known[s].address: Pin(machine.id, machine.name) for s, machine in seen.items()}


def meeting_in(known: dict[str, Any]) -> Meeting:
    """Return the terms of a command's connections, from a configuration's `user_defined`."""
    found: Meeting = known.setdefault("meeting", Meeting())
    return found


def hold(session: Session, claim: Claim) -> None:
    """Take the lease of the session's host; HeldError when another controller holds it.

    It costs a round trip only where the session was not opened with it.
    """
    answer, session.lease = session.lease, None
    if answer is None or not (answer.held or answer.holder):
        answer = session.request("hold", claim.terms(), HoldReply, timeout=HOLD_TIMEOUT)
    if answer.held:
        session.lease = answer
    else:
        raise held_by(session.where, answer.holder)
    session.give_signs(claim.silence / _SIGNS)


def give_back(session: Session) -> None:
    """Give the lease of the session's host back, if it is held; nothing waits for that."""
    session.lease = None
    session.tell("hold", {}, timeout=HOLD_TIMEOUT)


def held_by(server: str, holder: object) -> HeldError:
    """Return the refusal of a host whose lease another controller holds; `holder` is what the host says of it."""
    return HeldError(
        f"is being changed by {_sentence(holder)}",
        where=server,
        hint="wait for it, or give --wait SECONDS; the lease ends with that process, and by itself"
        f" {SILENCE:g} s after its machine or its network has failed",
    )


def _sentence(holder: object) -> str:
    """Return who that is: what the host says is a text of its own, of any content."""
    try:
        told = json.loads(str(holder))
        since = datetime.fromtimestamp(float(told["since"]), UTC)
        who, controller, verb = (_short(told[name]) for name in ("who", "controller", "verb"))
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return f"another controller, of which the host says {_short(holder)!r}"
    return f"{who} on {controller} (`{verb}`) since {since:%Y-%m-%d %H:%M:%S} UTC"


def _short(value: object) -> str:
    return visible(str(value))
