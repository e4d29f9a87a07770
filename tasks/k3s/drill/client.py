"""Requests to the ingress through the public load balancer, as visitors send them. Nothing is kept, nothing is lost."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

PATH = "/healthz"
_GOOD = 200


def connect(workload: Workload) -> Client:
    """Return a client that connects anew for each request, as visitors do."""
    return HttpClient(workload)


class HttpClient:
    """A request counts as written when it was answered well."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._answered: set[int] = set()

    def prepare(self) -> None:
        """Begin with nothing."""
        self._answered.clear()

    def write(self, number: int) -> None:
        """Ask once."""
        connection = HTTPConnection(self._workload.address, self._workload.port, timeout=PATIENCE)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NotSentError(str(error) or type(error).__name__) from error
            try:
                connection.request("GET", PATH)
                status = connection.getresponse().status
            except (OSError, HTTPException) as error:
                raise UnconfirmedError(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if status != _GOOD:
            raise UnconfirmedError(f"HTTP {status}")
        self._answered.add(number)

    def read(self) -> frozenset[int]:
        """Return every request that was answered."""
        return frozenset(self._answered)

    def remove(self) -> None:
        """Nothing is left of a request."""

    def close(self) -> None:
        """Nothing is open between two requests."""
