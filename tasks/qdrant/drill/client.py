"""Points in a collection of Qdrant, each acknowledged when it is applied (`wait=true`)."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

_GOOD, _MISSING = 200, 404
_PAGE = 1000


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return QdrantClient(workload)


class QdrantClient:
    """The REST interface over the standard library; one connection, made again after every error."""

    def __init__(self, workload: Workload) -> None:
        self._key = workload.password.reveal()
        self._collection = f"/collections/{workload.place}"
        self._connection = HTTPConnection(workload.address, workload.port, timeout=PATIENCE)

    def prepare(self) -> None:
        """Make the collection, empty."""
        self.remove()
        self._ask("PUT", self._collection, {"vectors": {"size": 1, "distance": "Dot"}})

    def write(self, number: int) -> None:
        """Put one point whose id is the number."""
        points = [{"id": number, "vector": [1.0], "payload": {"number": number}}]
        self._ask("PUT", f"{self._collection}/points?wait=true", {"points": points})

    def read(self) -> frozenset[int]:
        """Return the number that every point holds."""
        found: set[int] = set()
        wanted: dict[str, Any] = {"limit": _PAGE, "with_payload": True}
        while True:
            page = self._ask("POST", f"{self._collection}/points/scroll", wanted)
            found.update(int(point["payload"]["number"]) for point in page["points"])
            if page["next_page_offset"] is None:
                return frozenset(found)
            wanted["offset"] = page["next_page_offset"]

    def remove(self) -> None:
        """Remove the collection; one that is not there is no error."""
        self._ask("DELETE", self._collection, None, missing=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: object, *, missing: bool = False) -> Any:
        """Return the result of one request."""
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError as error:
                raise NotSentError(str(error) or type(error).__name__) from error
        content = None if body is None else json.dumps(body).encode()
        headers = {"api-key": self._key, "Content-Type": "application/json"}
        try:
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
            said, status = answer.read(), answer.status
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise UnconfirmedError(str(error) or type(error).__name__) from error
        if status != _GOOD and not (missing and status == _MISSING):
            raise UnconfirmedError(f"HTTP {status}: {said[:200].decode(errors='replace')}")
        return json.loads(said).get("result")
