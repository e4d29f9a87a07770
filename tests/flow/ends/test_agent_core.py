"""Neither the agent nor what it starts leaves its memory on a host's disk: secrets are in it."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.access import Access
from keybuzz.transport.local import LocalLink
from tests.flow.support.agent_host import scratch_host
from tests.flow.support.connections import may
from tests.flow.support.sshd import until


def test_a_child_of_the_agent_may_write_no_core_and_has_nothing_to_put_into_one(
    tmp_path: Path,
) -> None:
    host = scratch_host(tmp_path / "host")
    link = LocalLink()
    extras = {"name": "db-01", "python": str(host.python)}
    link.open("127.0.0.1", None, None, None, None, extras, may(Access.CHANGE))
    done = link.connection.execute(["sh", "-c", "ulimit -c; cat /proc/self/coredump_filter"])
    link.close()
    until(lambda: not host.agents(), "the agent to end")
    assert done.stdout.split() == ["0", "00000000"]
