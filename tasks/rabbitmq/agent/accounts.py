"""RabbitMQ: vhosts and users of applications. A password travels to the node's API as its salted hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from tasks.rabbitmq.agent.inside import inside, put, segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_ALGORITHM = "rabbit_password_hashing_sha256"
_EVERYTHING: dict[str, object] = {"configure": ".*", "write": ".*", "read": ".*"}
_SALT = 4
"""Bytes."""


def read_rabbitmq_vhost(query: Query, context: Context) -> State:
    """Return whether the vhost exists."""
    there = query["name"] in inside(query["access"], context)["vhosts"]
    return {"present": there, "attributes": {"there": True} if there else {}}


def write_rabbitmq_vhost(order: Query, context: Context) -> None:
    """Create the vhost; its queues are quorum queues unless a client asks for another type."""
    path = f"/api/vhosts/{segment(order['name'])}"
    put(order["access"], path, {"default_queue_type": "quorum"})
    context.forget()


def read_rabbitmq_account(query: Query, context: Context) -> State:
    """Read the user's tags and vhosts; the password is compared with the hash, which stays here."""
    found = inside(query["access"], context)
    user = found["users"].get(query["name"])
    if user is None:
        return {"present": False, "attributes": {}}
    permitted = found["permitted"].get(query["name"], [])
    return {
        "present": True,
        "attributes": {
            "password_matches": _matches(query["password"], user),
            "tags": user["tags"],
            "vhosts": [name for name in query["vhosts"] if name in permitted],
        },
    }


def write_rabbitmq_account(order: Query, context: Context) -> None:
    """Create or change the user, and let it do everything in its vhosts. Open connections stay."""
    access, name = order["access"], order["name"]
    body: dict[str, object] = {
        "password_hash": _hash(order["password"], os.urandom(_SALT)),
        "hashing_algorithm": _ALGORITHM,
        "tags": "",
    }
    put(access, f"/api/users/{segment(name)}", body)
    for vhost in order["vhosts"]:
        put(access, f"/api/permissions/{segment(vhost)}/{segment(name)}", _EVERYTHING)
    context.forget()


def _matches(password: str, user: dict[str, object]) -> bool:
    if user["algorithm"] != _ALGORITHM:
        return False
    try:
        salt = base64.b64decode(str(user["hash"]))[:_SALT]
    except binascii.Error:
        return False
    return hmac.compare_digest(_hash(password, salt).encode(), str(user["hash"]).encode())


def _hash(password: str, salt: bytes) -> str:
    """Return what RabbitMQ keeps of a password."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
