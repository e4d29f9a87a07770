"""Runner `kbz_bounded`: hosts in parallel, and one result for each of them whatever happens."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from traceback import clear_frames
from typing import TYPE_CHECKING

from nornir.core.task import AggregatedResult, MultiResult, Result, Task

if TYPE_CHECKING:
    from nornir.core.inventory import Host


_LOOK_UP = 0.25
"""Seconds after which a Ctrl-C is noticed at the latest."""


class BoundedRunner:
    """Runs a task on at most `num_workers` hosts at a time; results keep the order of the hosts.

    What Nornir lets escape (SystemExit in a task, a processor that raises) becomes a failed result
    of that one host. On Ctrl-C no further host starts, and the connections of the others are
    closed: their running requests fail and what they had started on the hosts is ended.
    """

    def __init__(self, num_workers: int = 50) -> None:
        self.num_workers = num_workers

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Return a MultiResult for every host."""
        results = AggregatedResult(task.name)
        if not hosts:
            return results
        pool = ThreadPoolExecutor(min(self.num_workers, len(hosts)), thread_name_prefix="host")
        try:
            running = {host.name: pool.submit(_started, task.copy(), host) for host in hosts}
            # A signal may reach another thread than this one, which then sleeps on: look up now and then.
            while wait(running.values(), timeout=_LOOK_UP).not_done:
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for host in hosts:
                disconnect(host)
            raise
        pool.shutdown()
        for host in hosts:
            results[host.name] = _result(task, host, running[host.name])
        return results


def _started(task: Task, host: Host) -> MultiResult:
    """Run the task on one host; what a failed one was working on is let go, and not kept with its error."""
    results = task.start(host)
    for result in results:
        error = result.exception
        while error is not None:
            clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
    return results


def _result(task: Task, host: Host, future: Future[MultiResult]) -> MultiResult:
    error = future.exception()
    if error is None:
        return _with_host(future.result(), host)
    failure = Result(
        host,
        result=f"{type(error).__name__}: {error}",
        failed=True,
        exception=error,
        severity_level=logging.ERROR,
    )
    failure.name = task.name  # type: ignore[assignment]  # nornir infers None for this attribute
    result = MultiResult(task.name)
    result.append(failure)
    return result


def _with_host(result: MultiResult, host: Host) -> MultiResult:
    """Fill in the host that a task forgot in `Result(host=None)`, on which processors rely."""
    if result[0].host is None:
        result[0].host = host
    return result


def disconnect(host: Host) -> None:
    """Close the connections of a host: what is asked over them fails, and what it has started there ends."""
    with suppress(Exception):  # a plugin may object to being closed by another thread
        host.close_connections()
