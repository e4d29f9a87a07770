"""A shell on a terminal of its own: what a person types, TAB and Enter, and the command that the shell then runs."""

from __future__ import annotations

import os
import pty
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.flow.support.sshd import until

_SECONDS = 60.0
"""For a shell to begin, and for an offer on a busy machine."""
_KBZ = """#!/bin/sh
[ -n "$_KBZ_COMPLETE" ] || [ "$1" = completion ] || {{ echo "kbz $*" >> {ran}; exit; }}
exec "{python}" -m keybuzz.cli.main "$@"
"""
_RC = {
    "bash": """
N=0; PROMPT_COMMAND='N=$((N+1))'; PS1='[$N]'
eval "$(kbz completion bash)"
""",
    "zsh": """
N=0; precmd() { N=$((N+1)); PS1="[$N]"; }
autoload -Uz compinit && compinit -D -u
eval "$(kbz completion zsh)"
""",
    "fish": """
set -g N 1
function fish_greeting; end
function fish_prompt; printf '[%s]' $N; end
function counted --on-event fish_postexec; set -g N (math $N + 1); end
kbz completion fish | source
""",
}
"""Each prompt has a number: when the next one is painted, the shell reads its line again."""


@dataclass
class Shell:
    """A running shell, by its terminal."""

    terminal: int
    ran: Path
    painted: bytes = b""
    prompts: int = 0

    def completed(self, typed: str) -> str:
        """Return the command that runs when this is typed, and TAB and Enter after it."""
        before = len(self._commands())
        os.write(self.terminal, typed.encode() + b"\t\r")
        self.wait_for_prompt()
        return self._commands()[before]

    def wait_for_prompt(self) -> None:
        """Wait until the shell reads its line."""
        self.prompts += 1
        prompt = b"[%d]" % self.prompts
        until(lambda: prompt in self.painted, f"prompt {self.prompts}", _SECONDS)

    def _commands(self) -> list[str]:
        return self.ran.read_text().splitlines() if self.ran.exists() else []

    def drain(self) -> None:
        """Read what the shell paints until it ends: a terminal that is full stops it."""
        try:
            while part := os.read(self.terminal, 1 << 16):
                self.painted += part
        except OSError:
            return


@contextmanager
def shell(name: str, folder: Path, place: Path) -> Iterator[Shell]:
    """Run a shell at a place, with a `kbz` on its path and the script that kbz prints for it."""
    ran = folder / "ran"
    program = folder / "kbz"
    program.write_text(_KBZ.format(ran=ran, python=sys.executable))
    program.chmod(0o755)
    start = folder / {"bash": "rc", "zsh": ".zshrc", "fish": "rc"}[name]
    start.write_text(_RC[name])
    words = {
        "bash": ["bash", "--noprofile", "--rcfile", str(start), "-i"],
        "zsh": ["zsh", "-i"],
        "fish": ["fish", "--no-config", "-i", "-C", f"source {start}"],
    }[name]
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "TERM": "xterm",
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
    }
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execvpe(words[0], words, environment)
    made = Shell(terminal, ran)
    threading.Thread(target=made.drain, daemon=True).start()
    try:
        made.wait_for_prompt()
        yield made
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
