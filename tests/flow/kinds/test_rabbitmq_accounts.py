"""Vhosts and users of applications in RabbitMQ, against a management API that keeps what it is told."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from keybuzz.agent.readings import table as readings
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.engine.look.planning import change_of
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.secret import DigestKey, Secret
from tasks.rabbitmq.agent import accounts as kind
from tasks.rabbitmq.service.accounts import RabbitmqAccount, RabbitmqNames, RabbitmqVhost
from tasks.rabbitmq.service.readings import RabbitmqFlags
from tasks.rabbitmq.service.resources import RabbitmqAccess

KEY = DigestKey(b"k" * 32)
NEEDLE = "PlantedNeedle-shop-1"
ADMIN, PASSWORD = "kb_rmq", "admin-password-1"


class Broker(BaseHTTPRequestHandler):
    """Users, vhosts and permissions, as RabbitMQ's management API has them."""

    users: dict[str, dict[str, Any]]
    vhosts: dict[str, dict[str, Any]]
    permissions: dict[tuple[str, str], dict[str, Any]]
    bodies: list[str]

    def do_GET(self) -> None:
        login = base64.b64encode(f"{ADMIN}:{PASSWORD}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {login}":
            self.answer(401, {"error": "not_authorised"})
            return
        kept: dict[str, list[dict[str, Any]]] = {
            "/api/users": [{"name": name, **item} for name, item in self.users.items()],
            "/api/vhosts": [{"name": name, "tracing": name == "shop"} for name in self.vhosts],
            "/api/permissions": [
                {"vhost": vhost, "user": user, **item}
                for (vhost, user), item in self.permissions.items()
            ],
            "/api/policies": [
                {"vhost": "/", "name": "cap", "pattern": ".*", "definition": {"max-length": 1}}
            ],
            "/api/feature-flags": [
                {"name": "quorum_queue", "state": "enabled", "stability": "required"},
                {"name": "message_containers", "state": "disabled", "stability": "stable"},
                {"name": "khepri_db", "state": "enabled", "stability": "experimental"},
                {"name": "not_tried", "state": "disabled", "stability": "experimental"},
                {"name": "of_a_newer_node", "state": "unavailable", "stability": "stable"},
            ],
            "/api/operator-policies": [
                {"vhost": "shop", "name": "cap", "pattern": "q", "definition": {"ha-mode": "all"}}
            ],
            "/api/vhost-limits": [{"vhost": "/", "value": {"max-connections": 0}}],
            "/api/user-limits": [{"user": "shop", "value": {}}],
        }
        self.answer(200, kept[self.path])

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.bodies.append(body)
        parts = [unquote(part) for part in self.path.split("/")[2:]]
        found = json.loads(body)
        if parts[0] == "users":
            self.users[parts[1]] = {**found, "tags": [t for t in found["tags"].split(",") if t]}
        elif parts[0] == "vhosts":
            self.vhosts[parts[1]] = found
        elif parts[1] not in self.vhosts or parts[2] not in self.users:
            self.answer(400, {"error": "bad_request"})
            return
        else:
            self.permissions[parts[1], parts[2]] = found
        self.answer(201, None)

    def answer(self, status: int, body: Any) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def broker() -> Iterator[ThreadingHTTPServer]:
    Broker.users = {
        ADMIN: {"tags": ["administrator"], "password_hash": "", "hashing_algorithm": ""}
    }
    Broker.vhosts = {"/": {}}
    Broker.permissions = {}
    Broker.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def access(broker: ThreadingHTTPServer, password: str = PASSWORD) -> RabbitmqAccess:
    secret, port = Secret("RABBITMQ_PASSWORD", password), broker.server_port
    return RabbitmqAccess("rabbit@queue-01", "127.0.0.1", ADMIN, secret, "rabbitmq", port)


def account(broker: ThreadingHTTPServer, password: str = NEEDLE, *vhosts: str) -> RabbitmqAccount:
    places = vhosts or ("shop",)
    return RabbitmqAccount(access(broker), "shop", Secret("P", password), places, "shop")


def context() -> Any:
    return Context("00" * 32, None)  # type: ignore[arg-type]  # nothing here writes to the controller


def change(resource: RabbitmqAccount | RabbitmqVhost) -> Change | None:
    """Return what kbz would change now."""
    reads = {
        "rabbitmq-vhost": kind.read_rabbitmq_vhost,
        "rabbitmq-account": kind.read_rabbitmq_account,
    }
    found = reads[resource.kind](resource.query(), context())
    attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in found["attributes"].items()}
    return change_of(
        "queue-01",
        "rabbitmq",
        resource,
        State(resource.identity, found["present"], attributes),
        KEY,
    )


def make(broker: ThreadingHTTPServer) -> None:
    kind.write_rabbitmq_vhost(RabbitmqVhost(access(broker), "shop").order(), context())
    kind.write_rabbitmq_account(account(broker).order(), context())


def test_what_is_made_needs_no_change_and_is_for_no_other_vhost(
    broker: ThreadingHTTPServer,
) -> None:
    vhost = RabbitmqVhost(access(broker), "shop")
    assert change(vhost) is not None
    assert change(account(broker)) is not None
    make(broker)
    assert change(vhost) is None
    assert change(account(broker)) is None
    assert Broker.vhosts["shop"] == {"default_queue_type": "quorum"}
    assert set(Broker.permissions) == {("shop", "shop")}, "nothing in another vhost"
    assert Broker.users["shop"]["tags"] == []


def test_a_password_never_travels_in_clear(broker: ThreadingHTTPServer) -> None:
    make(broker)
    assert not [body for body in Broker.bodies if NEEDLE in body]


@pytest.mark.parametrize(
    ("hand", "seen"),
    [
        (lambda: Broker.users["shop"].update(tags=["administrator"]), ["tags"]),
        (lambda: Broker.permissions.pop(("shop", "shop")), ["vhosts"]),
        (lambda: Broker.users["shop"].update(password_hash="AAAA"), ["password_matches"]),
        (
            lambda: Broker.users["shop"].update(hashing_algorithm="rabbit_password_hashing_md5"),
            ["password_matches"],
        ),
        (lambda: Broker.users["shop"].update(password_hash="no base64"), ["password_matches"]),
    ],
)
def test_a_change_by_hand_is_seen_and_repaired(
    broker: ThreadingHTTPServer, hand: Any, seen: list[str]
) -> None:
    make(broker)
    hand()
    found = change(account(broker))
    assert found is not None
    assert [item.attribute for item in found.differences] == seen
    kind.write_rabbitmq_account(account(broker).order(), context())
    assert change(account(broker)) is None


def test_a_new_password_is_taken_and_the_old_one_matches_no_more(
    broker: ThreadingHTTPServer,
) -> None:
    make(broker)
    kind.write_rabbitmq_account(account(broker, "another-password-1").order(), context())
    assert change(account(broker, "another-password-1")) is None
    assert change(account(broker)) is not None


def test_a_vhost_that_is_not_there_is_an_error_in_words(broker: ThreadingHTTPServer) -> None:
    with pytest.raises(AgentError, match="answers 400 to PUT /api/permissions/shop/shop"):
        kind.write_rabbitmq_account(account(broker).order(), context())


def test_the_names_that_drift_asks_for_hold_no_hash(broker: ThreadingHTTPServer) -> None:
    make(broker)
    found = readings.answer(RabbitmqNames("n", access(broker)).query(), context())
    assert found == {
        "value": {
            "users": {ADMIN: ["administrator"], "shop": []},
            "vhosts": ["/", "shop"],
            "rules": {
                "policy:cap in /": 'policy for .*: {"max-length": 1}',
                "operator-policy:cap in shop": 'policy for q: {"ha-mode": "all"}',
                "limit:vhost /": 'limit of RabbitMQ: {"max-connections": 0}',
                "tracing:shop": "each message is copied, content and all",
            },
        }
    }


def test_what_keeps_it_from_its_next_series_is_read(broker: ThreadingHTTPServer) -> None:
    found = readings.answer(RabbitmqFlags("f", access(broker)).query(), context())
    assert found == {
        "value": {
            "off": ["message_containers"],
            "tried": ["khepri_db"],
            "mirrored": ["operator policy cap in shop"],
        }
    }


def test_a_broker_that_does_not_let_us_in_is_a_problem(broker: ThreadingHTTPServer) -> None:
    asked = RabbitmqNames("n", access(broker, "wrong-password-1")).query()
    assert readings.answer(asked, context()) == {"problem": f"RabbitMQ does not let {ADMIN} in"}
