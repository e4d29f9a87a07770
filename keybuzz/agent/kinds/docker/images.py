"""Images: pulled by their frozen reference, or streamed from the controller that built them."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from keybuzz.agent.wire.docker import Docker


def read_image(query: Query, context: Context) -> State:
    """Say whether the reference is on this engine."""
    found = context.docker.image_id(query["name"])
    if found is None:
        return {"present": False, "attributes": {}}
    return {"present": True, "attributes": {"reference": query["name"], "id": found}}


def write_image(order: Query, context: Context) -> None:
    """Load it from the controller's stream, or pull it; then prove that it is there."""
    reference = order["name"]
    if order["built"]:
        context.docker.upload(
            "/images/load?quiet=1", context.channel.receive_bytes(), "application/x-tar"
        )
    else:
        pull(reference, context.docker)
    if context.docker.image_id(reference) is None:
        raise AgentError(f"{reference} is still not on the host", "docker images")


def pull(reference: str, docker: Docker) -> None:
    """Pull a tag; of `name:tag@digest` exactly the digest, which then gets the tag too, so that people find it."""
    tagged, _, digest = reference.partition("@")
    name, _, tag = tagged.rpartition(":")
    answer = docker.upload(
        f"/images/create?fromImage={quote(name)}&tag={quote(digest or tag)}",
        [],
        "application/json",
    )
    if b'"error"' in answer:
        raise AgentError(
            f"{reference} can not be pulled: {answer[-300:].decode(errors='replace')}",
            "kbz versions verify asks the registry for every frozen image",
        )
    if digest:
        path = f"/images/{quote(f'{name}@{digest}')}/tag?repo={quote(name)}&tag={quote(tag)}"
        docker.act("POST", path)
