"""Commands that kbz proposes: every word is quoted, so that a line can be pasted whatever a host has named a file."""

from __future__ import annotations

import shlex


def proposed(*words: object) -> str:
    """Return a command line for a shell: `proposed("kbz", "health", module)`.

    Every argument is one word, whatever is in it.
    """
    return shlex.join(str(word) for word in words)


def on_host(host: str, *words: object) -> str:
    """Return the line that runs a command on one host: `kbz exec --limit HOST -- …`.

    `kbz exec` runs several words as they are, so that they are quoted once, for the shell of the operator.
    """
    return proposed("kbz", "exec", "--limit", host, "--", *words)
