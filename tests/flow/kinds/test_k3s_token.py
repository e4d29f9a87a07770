"""A new token for a K3s server: the request that `k3s token rotate` makes, over real TLS, without a command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from k3s_stand_in import pki, web

from keybuzz.agent.kinds.services import k3s_token as kind
from keybuzz.agent.readings import k3s as agent_k3s
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import Secret
from keybuzz.model.services.k3s import K3sTokenRotated

CONTEXT: Any = SimpleNamespace()
NEW = K3sTokenRotated(Secret("K3S_TOKEN", "new-token"))


class Asked:
    """A server of one answer, which remembers what it was asked."""

    def __init__(self, live: Path) -> None:
        self.live = live
        self.requests: list[web.Request] = []
        self.code = 200

    def answer(self, request: web.Request) -> web.Answer:
        self.requests.append(request)
        if self.code == 200:
            self.live.write_text(f"K10abc::server:{request.body['newToken']}\n")
        return self.code, {"message": "no"}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    tls, live = tmp_path / "tls", tmp_path / "token"
    monkeypatch.setattr(pki, "TLS", str(tls))
    pki.make_authorities()
    pki.issue(f"{tls}/serving-kube-apiserver", "server", "/CN=api", ("127.0.0.1",))
    live.write_text("K10abc::server:old-token\n")
    found = Asked(live)
    server = web.HttpsServer("127.0.0.1", 0, pki.serving_context(), found.answer)
    server.start()
    monkeypatch.setattr(agent_k3s, "TLS", str(tls))
    monkeypatch.setattr(agent_k3s, "PORT", server.server_address[1])
    monkeypatch.setattr(kind, "LIVE", str(live))
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def matches() -> object:
    return kind.read_k3s_token_rotated(NEW.query(), CONTEXT)["attributes"]["token_matches"]


def test_one_request_with_the_token_of_now_brings_the_new_one_and_a_second_is_not_sent(
    asked: Asked,
) -> None:
    assert matches() is False
    kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    (request,) = asked.requests
    assert (request.method, request.path) == ("PUT", "/v1-k3s/token")
    assert request.login == ("server", "old-token")
    assert request.body == {"newToken": "new-token"}
    assert request.user == "", "no certificate: the administrator is not let in there"
    assert matches() is True
    kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    assert len(asked.requests) == 1


def test_a_refusal_is_told_without_either_token(asked: Asked) -> None:
    asked.code = 500
    with pytest.raises(AgentError, match="takes no new token: 500") as caught:
        kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    assert "token" not in str(caught.value).replace("no new token", "")
    assert caught.value.hint
    assert matches() is False
