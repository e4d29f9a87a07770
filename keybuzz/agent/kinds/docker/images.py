"""Images: pulled by their frozen reference, or streamed by the controller, which built them or has them from a host."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import handed_over_as, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context
    from keybuzz.agent.wire.docker import Docker


def read_image(query: Query, context: Context) -> State:
    """Return whether the reference is on this engine."""
    found = context.docker.image(query["name"])
    if found is None:
        return {"present": False, "attributes": {}}
    digests = [name.rpartition("@")[2] for name in found.get("RepoDigests") or []]
    attributes = {"reference": query["name"], "id": found["Id"], "digests": digests}
    return {"present": True, "attributes": attributes}


def write_image(order: Query, context: Context) -> None:
    """Load it from the controller's stream, or pull it; then prove that it is there."""
    reference = order["name"]
    if order["expected"]:
        _take(reference, order["expected"], context)
    elif order["built"]:
        context.docker.upload(
            "/images/load?quiet=1", context.channel.receive_bytes(), "application/x-tar"
        )
    else:
        pull(reference, context.docker)
    if context.docker.image_id(reference) is None:
        raise AgentError(f"{reference} is still not on the host", "docker images")


def _take(reference: str, expected: str, context: Context) -> None:
    """Load an image that another host holds; its id, which follows from its content, proves that it is the same."""
    docker = context.docker
    if docker.image_id(expected) is None:
        docker.upload("/images/load?quiet=1", context.channel.receive_bytes(), "application/x-tar")
    if docker.image_id(expected) is None:
        raise AgentError(
            f"what came for {reference} is not the image {expected[:19]} that the other host holds",
            "the two engines may keep images in different stores; kbz run pulls it from the registry",
        )
    tagged = reference.partition("@")[0]
    names = [name for name in (handed_over_as(reference),) if name]
    if docker.image_id(tagged) is None:
        names.append(tagged)  # another image under that tag stays: a container may be made from it
    for name in names:
        repository, _, tag = name.rpartition(":")
        path = f"/images/{quote(expected)}/tag?repo={quote(repository)}&tag={quote(tag)}"
        docker.act("POST", path)


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
            f"{reference} cannot be pulled: {answer[-300:].decode(errors='replace')}",
            "kbz versions verify asks the registry for every frozen image",
        )
    if digest:
        path = f"/images/{quote(f'{name}@{digest}')}/tag?repo={quote(name)}&tag={quote(tag)}"
        docker.act("POST", path)
