"""What the tests need of this machine beside the lab: `python -m tests.machine` installs it, as root."""

from __future__ import annotations

import sys

from keybuzz.lab import requirements

PROGRAMS = {
    # The flow ring logs in to an sshd of its own, on loopback; the package's service is not started.
    "/usr/sbin/sshd": "openssh-server",
    "/usr/bin/ssh-keygen": "openssh-client",
}


def main() -> None:
    """Install what is missing, and say so."""
    requirements.ensure(lambda _, sentence: print(sentence, file=sys.stderr), PROGRAMS)


if __name__ == "__main__":
    main()
