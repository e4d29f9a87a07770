"""RabbitMQ: members of its cluster, its users, and the replicas of its quorum queues."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.atomic import discard, replacing
from keybuzz.agent.runtime.errors import AgentError
from tasks.rabbitmq.agent.look import look, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_HOME = "/var/lib/rabbitmq"
_IMPORT = ".kbz-user.json"
_JOIN_SECONDS = 300.0
_FLAG = re.compile(r"[a-z][a-z0-9_.]*")
_NODE = re.compile(r"[A-Za-z0-9_-]{1,64}@[A-Za-z0-9._-]{1,255}")
_MOST = 50
"""Names of nodes that are told: a cluster has few."""
# In one go, so that nothing of ours that ends in between leaves the node without its application.
_JOIN = (
    'rabbitmqctl -q stop_app && rabbitmqctl -q join_cluster "$0"; joined=$?; '
    "rabbitmqctl -q start_app && exit $joined"
)


def read_rabbitmq_data(query: Query, context: Context) -> State:
    """Return what the data is: flags that only a newer RabbitMQ knows, which nodes' it is, and of which cluster.

    No data contradicts nothing.
    """
    flags = {flag for text in _flag_files(query["name"]) for flag in _FLAG.findall(text)}
    nodes = _nodes(query["name"])
    formed = {name for node in nodes for name in _formed(query["name"], node)}
    return {
        "present": True,
        "attributes": {
            "newer": sorted(flags & set(query["newer"])),
            "nodes": nodes,
            "formed": sorted(formed)[:_MOST],
        },
    }


def _nodes(data: str) -> list[str]:
    """Return the names of the nodes whose tables lie there: each has a folder of its name."""
    folder = os.path.join(data, "mnesia")
    found = opener.entries(folder) if opener.is_folder(folder) else ()
    names = [name for name, kind in found if kind == stat.S_IFDIR and _NODE.fullmatch(name)]
    return sorted(name for name in names if "-plugins-expand" not in name)[:_MOST]


def _formed(data: str, node: str) -> list[str]:
    """Return the members of a node's cluster, as it wrote them down for its next start; empty when it did not."""
    path = os.path.join(data, "mnesia", node, "cluster_nodes.config")
    return _NODE.findall(opener.text(path, opener.SMALL)) if opener.is_file(path) else []


def _flag_files(data: str) -> Iterator[str]:
    """Yield what each node that ever lived here has enabled: a list of Erlang's, in a file next to its tables."""
    folder = os.path.join(data, "mnesia")
    for name in opener.names(folder) if opener.is_folder(folder) else ():
        if name.endswith("-feature_flags"):
            yield opener.text(os.path.join(folder, name), opener.SMALL)


def write_rabbitmq_data(order: Query, context: Context) -> None:
    """Refuse: data is never changed."""
    raise AgentError("data is never converted or removed", "", outcome="refused")


def read_rabbitmq_membership(query: Query, context: Context) -> State:
    """Read which nodes this one takes for members of its cluster, running or not."""
    members = look(query["access"], context)["members"]
    return {"present": True, "attributes": {"members": members}}


def write_rabbitmq_membership(order: Query, context: Context) -> None:
    """Join the cluster of `join`; refused for a node that holds anything, because joining empties it."""
    access, target = order["access"], order["join"]
    if not target:
        raise AgentError("the order names no node to join", "kbz run rabbitmq decides it")
    now = look(access, context)
    if now["members"] != [access["node"]]:
        raise AgentError(
            f"{access['node']} is in a cluster of {', '.join(now['members'])} already",
            "kbz takes no node out of a cluster",
            outcome="refused",
        )
    if now["queues"]:
        raise AgentError(
            f"{access['node']} holds {now['queues']} queues, which joining would delete",
            "move them away first; kbz deletes no data",
            outcome="refused",
        )
    run(access, context, ["sh", "-c", _JOIN, target], timeout=_JOIN_SECONDS)
    _grow(access, context)


def read_rabbitmq_forgotten(query: Query, context: Context) -> State:
    """Return whether the node is a member by this one's word."""
    members = look(query["access"], context)["members"]
    return {"present": True, "attributes": {"member": query["name"] in members}}


def write_rabbitmq_forgotten(order: Query, context: Context) -> None:
    """Let the cluster forget a node that does not run in it; RabbitMQ itself refuses for one that does."""
    now = look(order["access"], context)
    if order["name"] in now["running"]:
        raise AgentError(
            f"{order['name']} runs in the cluster", "nothing was forgotten", outcome="refused"
        )
    run(order["access"], context, ["rabbitmqctl", "-q", "forget_cluster_node", order["name"]])


def read_rabbitmq_user(query: Query, context: Context) -> State:
    """Read whether the user is there and gets in; an answer to the login itself is the proof of the password."""
    now = look(query["access"], context)
    if query["name"] not in now["users"]:
        return {"present": False, "attributes": {}}
    return {
        "present": True,
        "attributes": {
            "password_matches": now["ours"],
            "administrator": "administrator" in now["users"][query["name"]],
            "permitted": now["permitted"],
        },
    }


def write_rabbitmq_user(order: Query, context: Context) -> None:
    """Make the user as described in one import: password, tag and permissions.

    rabbitmqctl of Erlang 26 and later never reads a password that is piped to it, so a file of RabbitMQ's own, which
    holds the salted hash and never the password, takes its place until the command has ended.
    """
    access, name = order["access"], order["name"]
    inspected = context.docker.inspect(access["container"])
    binds = (bind.split(":") for bind in inspected["HostConfig"]["Binds"] or [])
    data = next((bind[0] for bind in binds if bind[1] == _HOME), "")
    if not data:
        raise AgentError(f"container {access['container']} has no data directory of the host's")
    owner = opener.status(data)
    path = os.path.join(data, _IMPORT)
    content = json.dumps(_definitions(name, access["password"])).encode()
    try:
        with replacing(path, content, owner.st_uid, owner.st_gid, 0o600):
            pass
        run(access, context, ["rabbitmqctl", "-q", "import_definitions", f"{_HOME}/{_IMPORT}"])
    finally:
        discard(path)
    context.forget()
    if look(access, context)["denied"]:
        raise AgentError(f"RabbitMQ took the password of {name} and does not let it in")


def _definitions(name: str, password: str) -> dict[str, object]:
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": name,
                "password_hash": base64.b64encode(salt + digest).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "permissions": [{"user": name, "vhost": "/", **everything}],
    }


def read_rabbitmq_no_user(query: Query, context: Context) -> State:
    """Return whether the user is there."""
    there = query["name"] in look(query["access"], context)["users"]
    return {"present": True, "attributes": {"there": there}}


def write_rabbitmq_no_user(order: Query, context: Context) -> None:
    """Delete the user; never before ours gets in, or no user could."""
    if look(order["access"], context)["denied"]:
        raise AgentError(f"{order['access']['user']} does not get in yet", outcome="refused")
    run(order["access"], context, ["rabbitmqctl", "-q", "delete_user", order["name"]])


def read_rabbitmq_replicas(query: Query, context: Context) -> State:
    """Count the quorum queues without a replica on this node."""
    now = look(query["access"], context)
    if now["denied"]:
        raise AgentError(f"RabbitMQ does not let {query['access']['user']} in yet")
    return {"present": True, "attributes": {"lacking": len(now["lacking"])}}


def write_rabbitmq_replicas(order: Query, context: Context) -> None:
    """Give every quorum queue a replica here; no other replica goes away."""
    _grow(order["access"], context)


def _grow(access: Query, context: Context) -> None:
    grow = ["rabbitmq-queues", "-q", "grow", access["node"], "all"]
    run(access, context, grow, timeout=_JOIN_SECONDS)
