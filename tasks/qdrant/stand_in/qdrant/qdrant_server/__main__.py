"""Start the server as `qdrant` does: settings from the environment, storage below the working directory."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

from qdrant_server.http_door import serve
from qdrant_server.storage import Storage

HTTP_PORT, GRPC_PORT = "QDRANT__SERVICE__HTTP_PORT", "QDRANT__SERVICE__GRPC_PORT"


def main() -> int:
    """Serve until SIGTERM; 1 when the storage or an address cannot be used."""
    host = os.environ.get("QDRANT__SERVICE__HOST", "0.0.0.0")
    key = os.environ.get("QDRANT__SERVICE__API_KEY", "")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        storage = Storage(Path("storage"))
        door = serve((host, int(os.environ.get(HTTP_PORT, "6333"))), key, storage)
        grpc = socket.create_server((host, int(os.environ.get(GRPC_PORT, "6334"))))
    except (OSError, ValueError) as error:
        print(f"Panic: {error}", file=sys.stderr)
        return 1
    print("Standing in for Qdrant 1.19.0: a program of kbz", file=sys.stderr)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    while not stop.wait(0.2):
        pass  # a signal that another thread has taken is handled when this one looks
    grpc.close()
    storage.close()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
