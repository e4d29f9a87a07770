"""What MinIO's admin interface says of all servers and drives."""

from __future__ import annotations

from typing import Any

from minio_server.cluster import Cluster

VERSION = "2024-10-02T17:50:41Z"


def info(cluster: Cluster) -> dict[str, Any]:
    """Return what `mc admin info --json` shows, as this node sees it."""
    arguments = cluster.arguments
    online = {peer.node: peer for peer in cluster.online()}
    servers = []
    own_format = cluster.state()["format"] or {"id": "", "xl": {"this": "", "sets": [[]]}}
    for place, node in enumerate(arguments.nodes):
        own = place == arguments.own
        peer = online.get(node)
        there = own or peer is not None
        state = cluster.state() if own else (peer.state or {}) if peer else {}
        drive = {
            "endpoint": arguments.drives[place],
            "path": str(arguments.path),
            "state": "ok" if there else "offline",
            "uuid": ((state.get("format") or {}).get("xl") or {}).get("this", ""),
            "pool_index": 0,
            "set_index": 0,
            "disk_index": place,
        }
        if state.get("healing"):
            drive["healing"] = True
        servers.append(
            {
                "state": "online" if there else "offline",
                "endpoint": node,
                "version": VERSION if there else "",
                "drives": [drive],
            }
        )
    away = len(arguments.nodes) - 1 - len(online)
    return {
        "mode": "online",
        "deploymentID": own_format["id"],
        "servers": servers,
        "backend": {
            "backendType": "Erasure",
            "onlineDisks": 1 + len(online),
            "offlineDisks": away,
            "standardSCParity": len(arguments.drives) - arguments.quorum,
            "totalSets": [1],
            "totalDrivesPerSet": [len(arguments.drives)],
        },
    }
