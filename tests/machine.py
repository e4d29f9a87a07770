"""What the tests need of this machine beside the lab: `python -m tests.machine` installs it, as root."""

from __future__ import annotations

import sys

from keybuzz.lab import requirements
from keybuzz.model.core.errors import KbzError

PROGRAMS = {
    # The flow ring logs in to an sshd of its own, on loopback; the package's service is not started.
    "/usr/sbin/sshd": "openssh-server",
    "/usr/bin/ssh-keygen": "openssh-client",
    # What a look does on a host is watched call by call.
    "/usr/bin/strace": "strace",
    # Completion is tried in each shell that kbz prints it for.
    "/usr/bin/zsh": "zsh",
    "/usr/bin/fish": "fish",
}
WISHED = {
    # The page of `kbz report` is looked at in a real browser; without it those tests are skipped, and say so.
    "/usr/bin/chromium": "chromium",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core",
}


def main() -> None:
    """Install what is missing, and say so."""
    requirements.ensure(_say, PROGRAMS)
    try:
        requirements.ensure(_say, WISHED)
    except KbzError as error:
        _say("", f"no browser for the tests of the page: {error}")


def _say(_: str, sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
