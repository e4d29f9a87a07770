"""The program of a worker: `python -m keybuzz.cli.site.shard_worker CONFIG`, with a Spec on its stdin.

It is started by the runner `kbz_sharded`, on the controller or on a relay, and never by hand.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from keybuzz.engine.shards.contract import (
    SPEC_LIMIT,
    Message,
    Refused,
    Spec,
    message_line,
    read_spec,
)
from keybuzz.engine.shards.worker import Ground, serve
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError, KbzError, RefusedError, sentence_of
from keybuzz.transport.replies import ReplyError

Making = Callable[[], Ground]


def main() -> None:
    """Serve one Spec, and end."""
    config = Path(sys.argv[1])
    work(lambda: _ground(config))


def work(make: Making) -> None:
    """Read a Spec from stdin, and tell on stdout; nothing else that is printed gets there."""
    said = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    line = sys.stdin.buffer.readline(SPEC_LIMIT + 1)
    try:
        spec = read_spec(line)
    except ReplyError as error:
        sys.exit(f"the Spec is not understood: {error}")
    tell = _telling(said, spec)
    try:
        ground = make()
        # The lab's network is entered by then: threads may start.
        threading.Thread(target=_end_with_controller, daemon=True).start()
        serve(spec, ground, tell)
    except KbzError as error:
        place = f"{error.where}: " if error.where else ""
        tell(Refused(f"{place}{error.what}", error.hint))
    except Exception as error:
        tell(Refused(sentence_of(error)))
    os._exit(0)  # a thread that still waits for a host would hold it


def _telling(said: BinaryIO, spec: Spec) -> Callable[[Message], None]:
    turn = threading.Lock()

    def tell(message: Message) -> None:
        line = message_line(spec.shard, message)
        with turn:
            view = memoryview(line)
            while view:
                try:
                    view = view[said.write(view) :]
                except OSError:  # the controller is gone
                    os._exit(1)

    return tell


def _end_with_controller() -> None:
    """End when stdin does: a controller that was killed leaves no worker behind."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _ground(config: Path) -> Ground:
    """Return this machine's own view of the site; RefusedError where it has no digest key yet: none is made here."""
    from keybuzz.cli.support.context import enter_lab
    from keybuzz.engine.catalogue import all_modules, settled
    from keybuzz.engine.nornir import make_nornir
    from keybuzz.engine.shards.fingerprint import site_parts
    from keybuzz.site.digest_key import known_digest_key
    from keybuzz.site.files.plugins import BOUNDED, RunnerChoice
    from keybuzz.site.load import load_inventory_site, load_site, read_configuration

    if not config.is_absolute():
        raise InputError("a worker needs the absolute path of its configuration", where=str(config))
    configuration = read_configuration(config)
    state = load_inventory_site(configuration).settings.state
    if known_digest_key(state) is None:
        raise RefusedError(
            "there is no digest key",
            where=str(state / "digest.key"),
            hint="copy the controller's there, mode 0600, in a folder of mode 0700",
        )
    site = settled(load_site(configuration))
    enter_lab(site)
    # A worker has no workers, also where it reads the controller's own configuration.
    own = replace(configuration, runner=RunnerChoice(BOUNDED, {"num_workers": 1}))
    nornir = make_nornir(own, site, Access.LOOK)
    return Ground(nornir, site_parts(configuration, site), all_modules())


if __name__ == "__main__":
    main()
