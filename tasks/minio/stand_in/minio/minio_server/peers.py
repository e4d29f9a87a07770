"""The other nodes, asked over HTTP on the port of S3; who does not answer is offline until it does again."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlencode

from minio_server.drive import Meta

PREFIX = "/minio/peer/"
PATIENCE = 2.0
"""Seconds for one question."""


class AwayError(Exception):
    """A node that does not answer, or says no."""


class Peer:
    """One other node, as seen from here."""

    def __init__(self, node: str, place: int, token: str) -> None:
        self.node = node
        self.place = place
        self._token = token
        self.state: dict[str, Any] | None = None
        """Its last word about itself; None while it is offline."""
        self.problem = "was not asked yet"

    def ask(self) -> dict[str, Any] | None:
        """Ask for its state, and remember the answer."""
        try:
            self.state = json.loads(self.call("state"))
        except AwayError as error:
            self.state, self.problem = None, str(error)
        return self.state

    def call(self, what: str, body: bytes = b"", **query: str) -> bytes:
        """Ask something; a failure puts it offline."""
        try:
            return self._call(what, body, query)
        except (OSError, http.client.HTTPException) as error:
            self.state, self.problem = None, str(error)
            raise AwayError(str(error)) from error

    def _call(self, what: str, body: bytes, query: dict[str, str]) -> bytes:
        host, _, port = self.node.rpartition(":")
        link = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        try:
            path = f"{PREFIX}{what}?{urlencode(query)}"
            link.request("POST", path, body, {"X-Peer-Token": self._token})
            answer = link.getresponse()
            text = answer.read()
        finally:
            link.close()
        if answer.status != 200:
            raise AwayError(text.decode(errors="replace") or f"answers {answer.status}")
        return text

    # What is asked of it.

    def store(self, versions: list[tuple[Meta, bytes]]) -> None:
        """Let it keep versions; returns when they are on its disk."""
        heads = [json.dumps([meta, len(data)]) for meta, data in versions]
        head = f"[{', '.join(heads)}]\n".encode()
        self.call("store", head + b"".join(data for _, data in versions))

    def versions(self, bucket: str, key: str) -> list[Meta]:
        """Return what it has of one object."""
        found: list[Meta] = json.loads(self.call("versions", bucket=bucket, key=key))
        return found

    def index(self, bucket: str | None = None) -> list[Meta]:
        """Return what it has of a bucket, or of everything."""
        query = {} if bucket is None else {"bucket": bucket}
        found: list[Meta] = json.loads(self.call("index", **query))
        return found

    def data(self, meta: Meta) -> bytes:
        """Return a version's content."""
        return self.call("data", json.dumps(meta).encode())
