"""A MinIO node over S3 and its admin interface, on its own address.

`look` answers {"denied", "deployment", "servers": {node: state}, "drives": {node: state}, "healing": [node], "sets":
[drives of each set], "parity", "version", "frozen", "slow"}, where a node is host:port. `denied` is true where the root
user is not let in, and then the rest is empty.
"""

from __future__ import annotations

import re

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import http
from tasks.minio.agent import sigv4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ANSWER = 5.0
_HELD_BACK = 3.0
"""Seconds after which a list of buckets is held back."""
_PAST_A_FREEZE = {"x-amz-meta-minio-object-perf": "true"}
"""Requests with it are not held back by a service freeze: MinIO measures its own speed so."""
_ADMIN, _ASSETS = "/minio/admin/v3", "iam-assets"
_CODE = re.compile(rb"<Code>(\w+)</Code>|\"Code\":\"(\w+)\"")
_NAME = re.compile(rb"<Bucket>.*?<Name>([^<]+)</Name>", re.DOTALL)


class DeniedError(AgentError):
    """MinIO does not know our user, or knows another password; or the user may not do that: `code` says which."""

    code = ""


def call(
    access: dict[str, Any],
    method: str,
    path: str,
    query: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    timeout: float = _ANSWER,
    more: dict[str, str] | None = None,
) -> http.Response:
    """Send one signed request; DeniedError when it is not taken, AgentError without an answer."""
    asked = query or {}
    host = f"{access['address']}:{access['port']}"
    who = (access["user"], access["password"])
    headers = sigv4.signed(method, host, path, asked, body, *who, more)
    url = f"http://{host}{path}" + (f"?{sigv4.encoded(asked)}" if asked else "")
    try:
        answer = http.request_url(method, url, timeout, headers, body)
    except OSError as error:
        reason = error.strerror or error
        raise AgentError(f"MinIO does not answer on {host}: {reason}") from None
    if answer.status == 403:
        denied = DeniedError("MinIO does not let the root user of minio.env in")
        match = _CODE.search(answer.body)
        denied.code = (match[1] or match[2]).decode() if match else ""
        raise denied
    if answer.status == 503:
        raise AgentError(f"MinIO on {host} has no quorum, or has not begun yet (503)")
    return answer


def buckets(access: dict[str, Any]) -> list[str]:
    """Return the names of all buckets."""
    answer = call(access, "GET", "/")
    if answer.status != 200:
        raise AgentError(f"MinIO answers {answer.status} to a list of its buckets")
    return sorted(name.decode(errors="replace") for name in _NAME.findall(answer.body))


def users(access: dict[str, Any]) -> list[str]:
    """Return the names of all users but root, from MinIO's own archive of them; their secrets stay here."""
    import io
    import json
    import zipfile

    answer = call(access, "GET", f"{_ADMIN}/export-iam")
    if answer.status != 200:
        raise AgentError(f"MinIO answers {answer.status} to admin/v3/export-iam")
    try:
        with zipfile.ZipFile(io.BytesIO(answer.body)) as found:
            return sorted(map(str, json.loads(found.read(f"{_ASSETS}/users.json"))))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise AgentError(f"MinIO's archive of its users cannot be read: {error}") from None


def admin(
    access: dict[str, Any],
    method: str,
    what: str,
    query: dict[str, str] | None = None,
    body: bytes = b"",
) -> Any:
    """Ask the admin interface; None when what is asked about is not there, {} when there is no answer to read."""
    answer = call(access, method, f"{_ADMIN}/{what}", query, body)
    if answer.status == 404:
        return None
    if answer.status not in (200, 204):
        raise AgentError(f"MinIO answers {answer.status} to admin/v3/{what}")
    found = answer.json() if answer.body.strip() else {}
    if not isinstance(found, dict):
        raise AgentError(f"MinIO does not answer what admin/v3/{what} asks")
    return found


def archive(files: dict[str, Any]) -> bytes:
    """Return an archive of users and policies, as MinIO imports it."""
    import io
    import json
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as found:
        for name, content in files.items():
            found.writestr(f"{_ASSETS}/{name}.json", json.dumps(content))
    return made.getvalue()


def let_in(access: dict[str, Any], user: str, password: str) -> bool:
    """Return whether MinIO takes a signature of this user; what the user may do is another question."""
    try:
        call({**access, "user": user, "password": password}, "GET", "/")
    except DeniedError as denied:
        return denied.code == "AccessDenied"
    return True


def answer_minio(query: dict[str, Any]) -> dict[str, Any]:
    """Return what `look` does: the reading `minio`."""
    return look(query["access"])


def answer_minio_buckets(query: dict[str, Any]) -> dict[str, Any]:
    """Return the names of buckets and users; only drift asks."""
    access = query["access"]
    return {"buckets": buckets(access), "users": users(access)}


def answer_minio_login(query: dict[str, Any]) -> dict[str, Any]:
    """Return whether the user of the query is let in."""
    accepted = let_in(query["access"], query["access"]["user"], query["access"]["password"])
    return {"accepted": accepted, "reason": "" if accepted else "MinIO does not take its signature"}


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
        "frozen": False,
        "slow": False,
    }
    try:
        answer = call(access, "GET", "/minio/admin/v3/info")
    except DeniedError:
        return nothing
    info = answer.json()
    if answer.status != 200 or not isinstance(info, dict) or "servers" not in info:
        raise AgentError(f"MinIO answers {answer.status} to admin/v3/info")
    said = _said(info, f"{access['address']}:{access['port']}")
    late = _late(access, {})
    slow = late and _late(access, _PAST_A_FREEZE)
    return {**nothing, "denied": False, **said, "frozen": late and not slow, "slow": slow}


def _late(access: dict[str, Any], more: dict[str, str]) -> bool:
    """Return whether a request of S3 is not answered in time, though the administrator is.

    MinIO tells of a service freeze nowhere, and its health stays good: it is known by what it does not hold back.
    """
    try:
        call(access, "GET", "/", timeout=_HELD_BACK, more=more)
    except http.LateAnswerError:
        return True
    except AgentError:
        return False
    return False


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
