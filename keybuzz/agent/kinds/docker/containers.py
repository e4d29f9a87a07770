"""Containers, compared attribute by attribute with what `docker inspect` says."""

from __future__ import annotations

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context


def read_container(query: Query, context: Context) -> State:
    """Read the container of exactly that name; the image is right when its id is the reference's id."""
    found = context.docker.inspect(query["name"])
    if found is None:
        return {"present": False, "attributes": {}}
    return {"present": True, "attributes": _attributes(found, query, context)}


def _attributes(found: Any, query: Query, context: Context) -> dict[str, object]:
    config, host = found["Config"], found["HostConfig"]
    image = context.docker.image(query["image"])
    same_image = image is not None and image["Id"] == found["Image"]
    values = dict(item.split("=", 1) for item in config["Env"] or [] if "=" in item)
    added = _added(found, image, query["environment"]) if same_image else []
    return {
        "image": query["image"] if same_image else f"{config['Image']} ({found['Image'][7:19]})",
        # A paused one has processes, and none of them does anything.
        "running": bool(found["State"]["Running"]) and not found["State"].get("Paused"),
        "paused": bool(found["State"].get("Paused")),
        "command": _command(config, image, query["command"]),
        "environment": [
            f"{name}={context.digest(values[name].encode(), True)[:28]}"
            for name in query["environment"]
            if name in values
        ]
        + [f"{name}=(not described)" for name in added],
        "binds": sorted(host["Binds"] or []),
        "hostname": config["Hostname"],
        "user": config["User"],
        "restart": host["RestartPolicy"]["Name"],
        "network": host["NetworkMode"],
        "stop_signal": config.get("StopSignal") or "",
        "shared_memory": host["ShmSize"],
        "extra_hosts": sorted(host.get("ExtraHosts") or []),
        "open_files": _open_files(host),
    }


def _command(config: Any, image: Any, wanted: list[str]) -> list[str]:
    """Return the command that it was given: Docker copies the image's own into a container without one."""
    found: list[str] = config["Cmd"] or []
    own = (image.get("Config") or {}).get("Cmd") or [] if image is not None else []
    return [] if not wanted and found == own else found


def _open_files(host: Any) -> int:
    """Return the limit of open files that it was made with; 0 for the engine's."""
    limits = host.get("Ulimits") or []
    return next((int(item["Soft"]) for item in limits if item["Name"] == "nofile"), 0)


def _added(found: Any, image: Any, described: list[str]) -> list[str]:
    """Return variables that neither the image nor the description gives it: it was made by hand."""
    own = set((image.get("Config") or {}).get("Env") or [])
    names = (item.partition("=")[0] for item in found["Config"]["Env"] or [] if item not in own)
    return sorted(name for name in names if name not in described)


def write_container(order: Query, context: Context) -> None:
    """Start it when only that is missing; otherwise replace it. Its data lives in the binds and stays."""
    name = order["name"]
    found = context.docker.inspect(name)
    if found is not None and found["State"].get("Paused"):
        # It can neither be started nor stopped before it goes on.
        context.docker.act("POST", f"/containers/{quote(name)}/unpause")
        if _only_stopped(found, order, context):
            return
    if found is not None and _only_stopped(found, order, context):
        context.docker.act("POST", f"/containers/{quote(name)}/start")
        return
    if found is not None:
        _remove(name, order["stop_timeout"], context)
    _refuse_missing_sources(order["binds"])
    options = {**_options(order), "Image": context.docker.name_of(order["image"])}
    context.docker.act("POST", f"/containers/create?name={quote(name)}", options)
    context.docker.act("POST", f"/containers/{quote(name)}/start")


def read_container_stopped(query: Query, context: Context) -> State:
    """Return whether a container of that name runs, or is about to be started again by Docker."""
    found = context.docker.inspect(query["name"])
    state = found["State"] if found is not None else {}
    runs = bool(state.get("Running") or state.get("Restarting"))
    return {"present": True, "attributes": {"running": runs}}


def write_container_stopped(order: Query, context: Context) -> None:
    """Stop it gently; it stays stopped until it is started."""
    name, patience = order["name"], order["stop_timeout"]
    context.docker.act(
        "POST", f"/containers/{quote(name)}/stop?t={patience}", timeout=patience + 30
    )


def _only_stopped(found: Any, order: Query, context: Context) -> bool:
    wanted = _options(order)
    config, host = found["Config"], found["HostConfig"]
    environment = set(config["Env"] or [])
    image = context.docker.image(order["image"])
    return (
        image is not None
        and image["Id"] == found["Image"]
        and not _added(found, image, order["environment"])
        and _command(config, image, order["command"]) == wanted["Cmd"]
        and set(wanted["Env"]) <= environment
        and sorted(host["Binds"] or []) == sorted(order["binds"])
        and config["Hostname"] == order["hostname"]
        and config["User"] == order["user"]
        and host["RestartPolicy"]["Name"] == order["restart"]
        and order["stop_signal"] in ("", config.get("StopSignal"))
        and host["ShmSize"] == order["shared_memory"]
        and sorted(host.get("ExtraHosts") or []) == order["extra_hosts"]
        and order["open_files"] in (0, _open_files(host))
    )


def _remove(name: str, stop_timeout: int, context: Context) -> None:
    """Stop it gently and remove the container; anonymous volumes and binds stay."""
    context.docker.act(
        "POST", f"/containers/{quote(name)}/stop?t={stop_timeout}", timeout=stop_timeout + 30
    )
    context.docker.act("DELETE", f"/containers/{quote(name)}")


def _refuse_missing_sources(binds: list[str]) -> None:
    """Docker would make a directory for a missing file: facts/03 has the pain of it."""
    missing = [bind.split(":")[0] for bind in binds if not opener.is_there(bind.split(":")[0])]
    if missing:
        raise AgentError(f"{', '.join(missing)} must exist before the container starts", "")


def _options(order: Query) -> dict[str, Any]:
    files = order["open_files"]
    limits = [{"Name": "nofile", "Soft": files, "Hard": files}] if files else []
    return {
        "Image": order["image"],
        "Cmd": order["command"],
        "Env": order["variables"],
        "Hostname": order["hostname"],
        "User": order["user"],
        "StopTimeout": order["stop_timeout"],
        **({"StopSignal": order["stop_signal"]} if order["stop_signal"] else {}),
        "Labels": {"kbz.managed": "true"},
        "HostConfig": {
            "Binds": order["binds"],
            "NetworkMode": "host",
            "RestartPolicy": {"Name": order["restart"]},
            "ShmSize": order["shared_memory"],
            "ExtraHosts": order["extra_hosts"],
            "Ulimits": limits,
        },
    }
