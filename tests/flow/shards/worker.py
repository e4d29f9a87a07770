"""A worker over the scratch hosts of a test, in the place of keybuzz.cli.site.shard_worker: the same program otherwise.

Its word is the folder of the test. What it does apart from its duty is in files there: `stuck` (it writes its
pid there and stands still), `other-site` (it has another inventory).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from keybuzz.cli.site.shard_worker import work
from keybuzz.engine.shards.worker import Ground
from keybuzz.model.core.access import Access
from tests.flow.shards.scenarios import parts, scenario
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import HOSTS, command


def main(folder: Path) -> None:
    """Serve one Spec."""
    hosts = {name: ScratchHost(folder / name) for name in HOSTS}

    def make() -> Ground:
        made = command(folder, hosts, "worker").__enter__()
        made.nornir.config.user_defined["access"] = Access.LOOK
        known = parts(made.site)
        if (folder / "other-site").exists():
            known["servers"] = "another"
        if (folder / "stuck").exists():
            (folder / "stuck").write_text(str(os.getpid()))
            signal.pause()
        return Ground(made.nornir, known, (scenario(hosts),))

    work(make)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
