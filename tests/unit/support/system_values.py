"""What a healthy host says of its system (keybuzz.agent.readings.system_look)."""

from __future__ import annotations

from typing import Any

NOW = 1_790_000_000.0
DISK = {"path": "/", "read_only": False, "bytes": 2**35, "used": 20.0, "inodes_used": 5.0}
WELL: dict[str, Any] = {
    "clock": NOW,
    "disks": [DISK],
    "sick_mounts": [],
    "memory": {"total": 2**33, "available": 2**32},
    "load": [0.1, 0.2, 0.3],
    "cpus": 2,
    "kernel": "6.8.0-41-generic",
    "oom_kills": [],
    "time_servers": [],
    "clock_synchronised": True,
    "resolvers": ["1.1.1.1", "8.8.8.8"],
    "hostname": "db-1",
    "name_servers": ["127.0.0.53"],
    "names_cut": False,
    "names": [("127.0.0.1", ["localhost"])],
    "containers": [],
}
