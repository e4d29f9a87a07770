"""Start one node as `minio server` does."""

from __future__ import annotations

import os
import signal
import sys
import threading

from minio_server import door
from minio_server.arguments import WrongError, parse
from minio_server.cluster import Cluster
from minio_server.drive import DamagedError


def main() -> int:
    """Serve until SIGTERM; 1 when this drive or these arguments can not be."""
    failed: list[Exception] = []
    stop = threading.Event()
    try:
        cluster = Cluster(parse(sys.argv[1:]))
    except (WrongError, DamagedError, OSError) as error:
        print(f"FATAL {error}", file=sys.stderr)
        return 1

    def run() -> None:
        try:
            cluster.run()
        except (DamagedError, OSError) as error:
            failed.append(error)
            stop.set()

    door.Door.cluster = cluster
    for address, handler in (
        (cluster.arguments.address, door.Door),
        (cluster.arguments.console, door.Console),
    ):
        server = door.serve(address, handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    print("Standing in for MinIO RELEASE.2024-10-02T17-50-41Z: a program of kbz", file=sys.stderr)
    while not stop.wait(0.5):
        pass  # a signal that another thread has taken is handled when this one looks
    if failed:
        print(f"FATAL {failed[0]}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main())
