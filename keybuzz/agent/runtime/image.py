"""Operation `image`: hand out an image that this host holds. It changes nothing."""

from __future__ import annotations

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import Docker, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.runtime.channel import Channel


def run(request: dict[str, object], channel: Channel) -> dict[str, object]:
    """Stream the image `name` as `docker save` writes it; the answer is its id."""
    name = request["name"]
    if not isinstance(name, str):
        raise TypeError("image needs `name`, a text")
    docker = Docker()
    identity = docker.image_id(name)
    if identity is None:
        raise AgentError(f"{name} is not on this host", "docker images")
    # By its id: a tag may mean another image by now.
    docker.stream(f"/images/{quote(identity)}/get", channel.send_bytes)
    return {"id": identity}
