"""Asks what a tag is: a registry by its HTTP API v2, or the builder's Docker Engine, which asks the registry itself.

Nothing is pulled, and nothing is ever taken instead of what was asked for.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from keybuzz.model.core.errors import ContactError, InputError

if TYPE_CHECKING:
    from http.client import HTTPConnection

_TIMEOUT = 20.0
_LARGEST = 1 << 22
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


def split_reference(reference: str) -> tuple[str, str]:
    """Return the repository as a registry knows it, and the tag: `haproxy:2.8.5` is in `library/haproxy`."""
    name, _, tag = reference.partition(":")
    return (name if "/" in name else f"library/{name}"), tag


class Registry(ABC):
    """A source that knows which manifest a tag is."""

    where: str
    """How messages name it."""

    @abstractmethod
    def digest(self, reference: str) -> str | None:
        """Return the digest of a tag's manifest, or None when there is no such tag; ContactError without an answer."""

    @abstractmethod
    def tags(self, reference: str) -> tuple[str, ...]:
        """Return the tags of the reference's repository, as far as they can be known."""


def registry_of(parameter: str, socket: Path) -> Registry:
    """Return what `versions.registry` of site.yaml names: a URL, or `none` for the builder's engine."""
    if parameter == "none":
        return EngineRegistry(socket)
    url = urlsplit(parameter)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise InputError(
            "versions.registry is no URL", where="site.yaml", hint="http://address:port, or none"
        )
    return HttpRegistry(parameter.rstrip("/"))


class HttpRegistry(Registry):
    """A registry that answers without a login, such as a mirror inside the network."""

    def __init__(self, url: str) -> None:
        self.where = url
        self._url = urlsplit(url)

    def digest(self, reference: str) -> str | None:
        name, tag = split_reference(reference)
        status, headers, _ = self._ask("HEAD", f"/v2/{quote(name)}/manifests/{quote(tag)}")
        if status == 404:
            return None
        found = headers.get("docker-content-digest", "")
        if status != 200 or not found:
            raise ContactError(
                f"answers {status} about {reference}, without a digest", where=self.where
            )
        return found

    def tags(self, reference: str) -> tuple[str, ...]:
        name, _ = split_reference(reference)
        status, _, body = self._ask("GET", f"/v2/{quote(name)}/tags/list?n=1000")
        return _tags(body) if status == 200 else ()

    def _ask(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        from http.client import HTTPException

        connection = self._connection()
        try:
            connection.request(method, self._url.path + path, headers={"Accept": _MANIFESTS})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read(_LARGEST)
        except (OSError, HTTPException) as error:
            raise ContactError(
                f"the registry does not answer: {error or type(error).__name__}", where=self.where
            ) from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=_TIMEOUT)


def _tags(body: bytes) -> tuple[str, ...]:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return ()
    tags = found.get("tags") if isinstance(found, dict) else None
    return tuple(tag for tag in tags or () if isinstance(tag, str))


class EngineRegistry(Registry):
    """The builder's Docker Engine, which asks the registry of a reference with its own login and mirrors."""

    def __init__(self, socket: Path) -> None:
        self.where = str(socket)

    def digest(self, reference: str) -> str | None:
        from keybuzz.agent.runtime.errors import AgentError
        from keybuzz.agent.wire.docker import Docker
        from keybuzz.agent.wire.docker import quote as quoted

        try:
            path = f"/distribution/{quoted(reference)}/json"
            answer = Docker(self.where).call("GET", path, timeout=_TIMEOUT)
        except (AgentError, OSError) as error:
            raise ContactError(f"Docker does not answer: {error}", where=self.where) from error
        found = answer.json()
        if answer.status == 200 and isinstance(found, dict):
            digest = (found.get("Descriptor") or {}).get("digest")
            if isinstance(digest, str):
                return digest
        said = found.get("message", "") if isinstance(found, dict) else ""
        if _is_missing(answer.status, str(said)):
            return None
        raise ContactError(
            f"Docker answers {answer.status} about {reference}: {str(said)[:200]}", where=self.where
        )

    def tags(self, reference: str) -> tuple[str, ...]:
        del reference
        return ()


def _is_missing(status: int, said: str) -> bool:
    """The engine has no status of its own for "no such tag": older ones say it in a 500."""
    words = ("manifest unknown", "not found", "no such manifest")
    return status == 404 or (status >= 400 and any(word in said.lower() for word in words))
