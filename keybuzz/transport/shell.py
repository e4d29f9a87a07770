"""Single commands on a host without the agent: an exec channel each, under a guard that is a few lines of shell.

The agent takes a Python on the host to start. For one command on many hosts that is most of the work, and a host
whose Python is broken is one where an operator wants to run a command.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from keybuzz.agent.host.hold import LEASE, LONGEST, TURN, TURN_WAIT
from keybuzz.agent.runtime.children import KILL_GRACE, LEFT_BEHIND, PATH
from keybuzz.model.core.errors import ContactError
from keybuzz.transport.identity import Machine
from keybuzz.transport.kept import KEPT, Output
from keybuzz.transport.meeting import held_by
from keybuzz.transport.session import ANSWER_MARGIN, Execution, Hide

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from keybuzz.transport.meeting import Meeting, Proof

MARK = re.compile(rb"\0kbz ([0-9a-f]{32}|-) ([^\n]{0,64})\n")
"""Where the command's own output begins, with the machine's id and name: what a login script prints is before it."""
_REFUSAL = re.compile(rb"\0kbz! (address|id|name|held) (\S*) ?([^\n]*)\n")
"""What the guard says instead, when the command must not begin there."""
_GUARD = r"""exec 3<&0 </dev/null
limit=$1 address=$2 pin=$3 names=$4 holder=$5; shift 5
export PATH=@PATH LC_ALL=C
id=- name=$(uname -n)
no() { printf '\0kbz! %s %s %s\n' "$1" "$id" "$name"; exit 0; }
if [ -n "$address" ]; then
line=; { read -r line || :; } 2>/dev/null </etc/machine-id
[ -z "$line" ] || id=$(printf %.32s "$(printf %s "$line" | sha256sum)")
sed -n "/|-- $address\$/,/[|+]--/p" /proc/net/fib_trie | grep -q '/32 host LOCAL' || no address
[ -z "$pin" ] || [ "$pin" = "$id" ] || no id
called=$(printf %s "$name" | tr A-Z a-z)
case " ${names:-$called} " in *" $called "*|*" ${called%%.*} "*) ;; *) no name;; esac
fi
if [ -n "$holder" ]; then
{ mkdir -p -m 700 /run/kbz && : >>@LEASE; } 2>/dev/null || {
echo 'the lease of this host cannot be taken: @LEASE cannot be written' >&2; exit 1; }
held() { printf '\0kbz! held - '; head -c @LONGEST @LEASE | tr '\n' ' '; echo; exit 0; }
exec 4<>@LEASE 5<>@TURN
flock -w @WAIT 5 && flock -n 4 || held
printf %s "$holder" >@LEASE
exec 5<&-
fi
printf '\0kbz %s %s\n' "$id" "$name"
command -v "$1" >/dev/null || { echo "$1 cannot be started: it is not on this host" >&2; exit 127; }
timeout -k @GRACE "$limit" "$@" 3<&- 4<&- &
child=$!
{ read -r line; kill $child; } <&3 4<&- >/dev/null 2>&1 &
wait $child
code=$?
kill $!
exit $code
"""
_GUARD = (
    _GUARD.replace("@PATH", PATH)
    .replace("@GRACE", f"{KILL_GRACE:g}")
    .replace("@LEASE", LEASE)
    .replace("@TURN", TURN)
    .replace("@WAIT", f"{TURN_WAIT:g}")
    .replace("@LONGEST", str(LONGEST))
)
"""The guard proves first that this is the machine that was meant, and takes its lease when there is a holder.

`timeout` makes a process group of the command and ends all of it, when its time is over or when it is told to.

Standard input of the guard brings nothing. Its end is the end of the connection, and so of the command.
"""
_OUT_OF_TIME = (124, 137)
"""Exit codes of `timeout`: TERM was enough, and KILL was needed."""
_TURN = 0.2
"""Seconds to wait for one stream before a look at the other: they share the room that they may fill."""
_PIECE = 1 << 16
_TURNS = 16
"""Pieces of the error stream that are taken at once."""
_NOISE = 1 << 14
"""Bytes of what a login script prints that are kept, for the message that says so."""


class Channel(Protocol):
    """What is used of an SSH channel."""

    status_event: Event

    def settimeout(self, timeout: float) -> None: ...
    def recv(self, size: int) -> bytes: ...
    def recv_stderr(self, size: int) -> bytes: ...
    def recv_stderr_ready(self) -> bool: ...
    def exit_status_ready(self) -> bool: ...
    def recv_exit_status(self) -> int: ...
    def close(self) -> None: ...


def guarded(argv: Sequence[str], timeout: float, proof: Proof) -> str:
    """Return the words for sshd that run a command under the guard, whatever the user's shell is."""
    address = proof.address.replace(".", "[.]")
    terms = (f"{timeout:g}", address, proof.pin, " ".join(proof.names), proof.holder)
    return f"exec {shlex.join(['/bin/sh', '-c', _GUARD, 'kbz', *terms, *argv])}"


class Shell:
    """Commands on one host, each on a channel of its own of one connection."""

    def __init__(
        self,
        start: Callable[[str], Channel],
        release: Callable[[], object],
        *,
        where: str,
        hide: Hide,
        meeting: Meeting,
    ) -> None:
        """`start` runs words of a shell on a new channel, `release` ends the connection.

        What comes from the host goes through `hide`; `meeting` says what it must prove before each command.
        """
        self.where = where
        self.broken = False
        self.requests = 0
        """Commands so far."""
        self._start = start
        self._release = release
        self._hide = hide
        self._meeting = meeting

    def execute(self, argv: Sequence[str], *, timeout: float = 60.0, keep: int = KEPT) -> Execution:
        """Run a command for at most `timeout` seconds, without standard input; see Session.execute.

        Its environment is that of the login, with a PATH and LC_ALL that are always the same. ContactError when the
        connection is lost; the command and all of its process group are ended then, by the host itself.
        """
        if self.broken:
            raise ContactError("the connection was lost before", where=self.where)
        self.requests += 1
        started = time.monotonic()
        channel = self._start(guarded(argv, timeout, self._meeting.proof(self.where)))
        try:
            output = _Output(channel, started + timeout + ANSWER_MARGIN, keep)
            output.collect()
            code = output.exit_code()
        except (OSError, EOFError) as error:
            raise self._lost(str(error) or "the SSH connection was closed") from error
        finally:
            channel.close()
        return self._execution(output, code, timeout, time.monotonic() - started)

    def hide_by(self, hide: Hide) -> None:
        """Let every text that comes from now on go through another `hide`."""
        self._hide = hide

    def close(self) -> None:
        """End the connection, and with it the command at work. May be called from any thread."""
        self.broken = True
        self._release()

    def _execution(self, output: _Output, code: int, timeout: float, taken: float) -> Execution:
        if code < 0:
            raise self._lost("output ended, and no exit code came")
        kept = output.kept
        stderr = str(self._hide(kept.text("stderr")))
        if output.mark is None:
            noise = bytes(output.noise)
            self._refuse(noise)
            said = str(self._hide(noise.decode(errors="replace"))) + stderr
            raise ContactError(
                f"the host ran no command: {said.strip() or 'it said nothing'}",
                where=self.where,
                hint="the user needs a login shell that runs /bin/sh, and `timeout` of coreutils",
            )
        self._meeting.saw(self.where, _machine(output.mark))
        stdout = str(self._hide(kept.text("stdout")))
        late = code in _OUT_OF_TIME and taken >= timeout
        return Execution(code, stdout, stderr, late, kept.left_out)

    def _refuse(self, output: bytes) -> None:
        """Raise what the guard has refused for, if it has."""
        refusal = _REFUSAL.search(output)
        if refusal is None:
            return
        if refusal[1] == b"held":
            raise held_by(self.where, refusal[3].decode(errors="replace"))
        raise self._meeting.refusal(self.where, refusal[1].decode(), _machine(refusal))

    def _lost(self, why: str) -> ContactError:
        self.close()
        return ContactError(
            f"contact was lost during the command: {self._hide(why)}",
            where=self.where,
            hint="the host ends what it had started; look there before you run it again",
            inside_step=True,
        )


def _machine(told: re.Match[bytes]) -> Machine:
    """Return what the guard has said of the machine: id and name are the last two groups."""
    found, name = told.group(told.re.groups - 1), told.group(told.re.groups)
    return Machine(name.decode(errors="replace"), id=found.decode().strip("-"))


class _Output:
    """Both streams of a channel, until they end."""

    def __init__(self, channel: Channel, deadline: float, keep: int) -> None:
        self.kept = Output(keep)
        self.noise = bytearray()
        """The end of what stands before the mark."""
        self.mark: re.Match[bytes] | None = None
        self._channel = channel
        self._deadline = deadline
        self._exited = False

    def collect(self) -> None:
        """Read until both ended, or, when something holds them open, until shortly after the command.

        TimeoutError at the deadline.
        """
        self._channel.settimeout(_TURN)
        while self._wait():
            try:
                piece = self._channel.recv(_PIECE)
            except TimeoutError:
                continue
            if not piece:
                break
            self._take(piece)
        while self._channel.recv_stderr_ready() and time.monotonic() < self._deadline:
            self._take_errors()

    def _take(self, piece: bytes) -> None:
        if self.mark is not None:
            self.kept.take("stdout", piece)
            return
        self.noise += piece
        self.mark = MARK.search(bytes(self.noise))
        if self.mark is not None:
            self.kept.take("stdout", bytes(self.noise[self.mark.end() :]))
        self.noise = self.noise[-_NOISE:]

    def exit_code(self) -> int:
        """Wait for the exit code, which may come after the last output; -1 when none does."""
        self._channel.status_event.wait(max(0.0, self._deadline - time.monotonic()))
        return self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1

    def _wait(self) -> bool:
        self._take_errors()
        now = time.monotonic()
        if not self._exited and self._channel.exit_status_ready():
            self._exited = True
            self._deadline = now + LEFT_BEHIND
        if now < self._deadline:
            return True
        if self._exited:
            return False
        raise TimeoutError("it did not end in time")

    def _take_errors(self) -> None:
        """Take what lies there, and no more than a few pieces: a host may write without an end."""
        for _ in range(_TURNS):
            if not self._channel.recv_stderr_ready():
                return
            self.kept.take("stderr", self._channel.recv_stderr(_PIECE))
