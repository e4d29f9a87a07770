"""A MinIO node over S3 and its admin interface, on its own address.

`look` answers {"denied", "deployment", "servers": {node: state}, "drives": {node: state}, "healing": [node], "sets":
[drives of each set], "parity", "version"}, where a node is host:port. `denied` is true where the root user is not let
in, and then the rest is empty.
"""

from __future__ import annotations

import re

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http, sigv4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ANSWER = 5.0
_NAME = re.compile(rb"<Bucket>.*?<Name>([^<]+)</Name>", re.DOTALL)


class DeniedError(AgentError):
    """MinIO does not know our user, or knows another password."""


def call(
    access: dict[str, Any],
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: bytes = b"",
) -> http.Response:
    """Send one signed request; DeniedError when it is not taken, AgentError when nobody answers."""
    asked = query or {}
    host = f"{access['address']}:{access['port']}"
    headers = sigv4.signed(method, host, path, asked, body, access["user"], access["password"])
    url = f"http://{host}{path}" + (f"?{sigv4.encoded(asked)}" if asked else "")
    try:
        answer = http.request_url(method, url, _ANSWER, headers, body)
    except OSError as error:
        reason = error.strerror or error
        raise AgentError(f"MinIO does not answer on {host}: {reason}") from None
    if answer.status == 403:
        raise DeniedError("MinIO does not let the root user of minio.env in")
    if answer.status == 503:
        raise AgentError(f"MinIO on {host} has no quorum, or has not begun yet (503)")
    return answer


def buckets(access: dict[str, Any]) -> list[str]:
    """Return the names of all buckets."""
    answer = call(access, "GET", "/")
    if answer.status != 200:
        raise AgentError(f"MinIO answers {answer.status} to a list of its buckets")
    return sorted(name.decode(errors="replace") for name in _NAME.findall(answer.body))


def look(access: dict[str, Any]) -> dict[str, Any]:
    """Return what the node says of all servers and drives."""
    nothing: dict[str, Any] = {
        "denied": True,
        "deployment": "",
        "servers": {},
        "drives": {},
        "healing": [],
        "sets": [],
        "parity": 0,
        "version": "",
    }
    try:
        answer = call(access, "GET", "/minio/admin/v3/info")
    except DeniedError:
        return nothing
    info = answer.json()
    if answer.status != 200 or not isinstance(info, dict) or "servers" not in info:
        raise AgentError(f"MinIO answers {answer.status} to admin/v3/info")
    return {**nothing, "denied": False, **_said(info, f"{access['address']}:{access['port']}")}


def _said(info: dict[str, Any], own: str) -> dict[str, Any]:
    servers = {str(item["endpoint"]): item for item in info["servers"]}
    drives = {
        node: [drive for drive in item.get("drives") or [] if isinstance(drive, dict)]
        for node, item in servers.items()
    }
    backend = info.get("backend") or {}
    return {
        "deployment": str(info.get("deploymentID", "")),
        "servers": {node: str(item.get("state", "")) for node, item in servers.items()},
        "drives": {
            node: ", ".join(sorted({str(drive.get("state", "")) for drive in found})) or "none"
            for node, found in drives.items()
        },
        "healing": sorted(
            node for node, found in drives.items() if any(d.get("healing") for d in found)
        ),
        "sets": [
            int(size)
            for size, count in zip(
                backend.get("totalDrivesPerSet") or [], backend.get("totalSets") or [], strict=False
            )
            for _ in range(int(count))
        ],
        "parity": int(backend.get("standardSCParity") or 0),
        "version": str(servers.get(own, {}).get("version", "")),
    }
