"""What all kinds share during one request: keys and readings that are made once."""

from __future__ import annotations

from keybuzz.agent.guard import marks, mounts, opener
from keybuzz.agent.guard.silence import Silence
from keybuzz.agent.wire.sha256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from typing import Any, TypeVar

    from keybuzz.agent.runtime.channel import Channel
    from keybuzz.agent.wire.docker import Docker

    Value = TypeVar("Value")


class Context:
    """One request's view of the host. Nothing is cached longer than that."""

    def __init__(
        self, key: str, channel: Channel, queries: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        opener.forget()
        mounts.forget()
        self.silence = Silence()
        self.channel = channel
        self._queries = queries
        self._key = bytes.fromhex(key)
        self._cache: dict[str, Any] = {}
        self._done: dict[str, Any] = {}
        self._docker: Docker | None = None

    @property
    def docker(self) -> Docker:
        """The host's engine, loaded for those who ask it."""
        if self._docker is None:
            from keybuzz.agent.wire.docker import Docker

            self._docker = Docker()
        return self._docker

    def named(self, kinds: Set[str]) -> tuple[str, ...]:
        """Return the names of all resources of these kinds that the request asks for: one look can serve all."""
        found = (query["name"] for query in self._queries if query["kind"] in kinds)
        return tuple(dict.fromkeys(found))

    def once(self, name: str, read: Callable[[], Value]) -> Value:
        """Return `read()`, called at most once per request under that name."""
        if name not in self._cache:
            self._cache[name] = read()
        value: Value = self._cache[name]
        return value

    def once_in_request(self, name: str, act: Callable[[], Value]) -> Value:
        """Return `act()`, called at most once per request, whatever is written meanwhile."""
        if name not in self._done:
            self._done[name] = act()
        value: Value = self._done[name]
        return value

    def forget(self) -> None:
        """Drop what was read: something has been written."""
        opener.forget()
        self.silence.forget()
        self._cache.clear()

    def mark(self, secret: str) -> str:
        """Return what is shown in the place of a secret."""
        return marks.mark(secret, self._key)

    def is_as_shown(self, shown: object, now: object) -> bool:
        """Return whether a value is the one that the controller was shown, with marks in the place of secrets."""
        return marks.same(shown, now, self._key)

    def digest(self, content: bytes, secret: bool) -> str:
        """Return the digest of keybuzz.model.core.secret: keyed when the content holds a secret."""
        if secret:
            import hmac

            return "hmac-sha256:" + hmac.new(self._key, content, "sha256").hexdigest()
        return "sha256:" + sha256(content).hexdigest()
