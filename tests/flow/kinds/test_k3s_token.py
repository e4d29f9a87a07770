"""A new token for a K3s server: the request that `k3s token rotate` makes, over real TLS, without a command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from k3s_stand_in import pki, web

from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import Secret
from tasks.k3s.agent import api as agent_k3s
from tasks.k3s.agent import token as kind
from tasks.k3s.service.resources import K3sToken, K3sTokenRotated

CONTEXT = Context("aa" * 32, cast("Any", None))
OLD, TOKEN = (Secret("K3S_TOKEN", f"{word}-token") for word in ("old", "new"))
NEW = K3sTokenRotated(TOKEN, OLD)


class Asked:
    """A server that rotates in upstream's order: passwords, file, datastore; it knows who may ask since its start."""

    def __init__(self, live: Path) -> None:
        self.live = live
        self.requests: list[web.Request] = []
        self.passwords = self.sealed = "old-token"
        self.known = {"old-token"}
        self.fails: list[str] = []
        """Where the next requests end: before anything, at the datastore, or when the answer is sent."""

    def answer(self, request: web.Request) -> web.Answer:
        self.requests.append(request)
        if request.login[1] not in self.known:
            return 401, {"message": "not authorized"}
        fails = self.fails.pop(0) if self.fails else ""
        if fails == "before":
            return 500, {"message": "no"}
        before, new = self.passwords, str(request.body["newToken"])
        self.passwords = new
        self.live.write_text(f"K10abc::server:{new}\n")
        if fails == "datastore":
            return 500, {"message": "etcdserver: request timed out"}
        if self.sealed == before:
            self.sealed = new
        if self.sealed != new:
            return 500, {
                "message": "bootstrap data already found and encrypted with different token"
            }
        return (500, {"message": "lost"}) if fails == "answer" else (200, {})


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


def unproven() -> object:
    return kind.read_k3s_token_rotated(NEW.query(), CONTEXT)["attributes"]["unproven"]


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
    asked.fails = ["before"]
    with pytest.raises(AgentError, match="takes no new token: 500") as caught:
        kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    assert "token" not in str(caught.value).replace("no new token", "")
    assert caught.value.hint
    assert matches() is False
    assert unproven() is False, "its file was not written"


@pytest.mark.parametrize(
    "failures", [["datastore"], ["answer"], ["before", "datastore"], ["datastore"] * 3]
)
def test_what_was_written_down_proves_nothing_until_the_datastore_is_sealed_with_it(
    asked: Asked, failures: list[str]
) -> None:
    asked.fails = list(failures)
    for _ in range(4):
        try:
            kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
        except AgentError:
            assert (matches(), unproven()) == (False, "new-token" in asked.live.read_text())
        else:
            break
    assert asked.fails == []
    assert (asked.sealed, asked.passwords) == ("new-token", "new-token")
    assert (matches(), unproven()) == (True, False)


def test_a_server_that_loads_its_passwords_anew_is_told_with_the_former_token(asked: Asked) -> None:
    asked.fails = ["datastore"]
    with pytest.raises(AgentError):
        kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    asked.known = {"new-token"}
    kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    assert asked.sealed == "new-token"


def test_for_the_store_of_before_an_unproven_token_is_told(asked: Asked) -> None:
    asked.fails = ["datastore"]
    with pytest.raises(AgentError):
        kind.write_k3s_token_rotated(NEW.order(), CONTEXT)
    found = kind.read_k3s_token(K3sToken(OLD).query(), CONTEXT)["attributes"]
    assert found == {"token_matches": False, "unproven": True}
