"""The registry of a lab: Debian's docker-registry, where the hosts pull the frozen references from.

It listens only inside the lab's network. Its storage lies in the cache: each lab runs a registry
of its own over the same images.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

from keybuzz.lab import service
from keybuzz.lab.layout import CONTROLLER, NAMESPACES
from keybuzz.lab.network.namespace import exists, visiting
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings

NAME = "registry"
PORT = 5000
_PROGRAM = "/usr/bin/docker-registry"
_TRANSFER_SECONDS = 120
_ANSWER_SECONDS = 2
_BLOCK = 1 << 20


def ensure(settings: LabSettings) -> bool:
    """Make sure that the registry runs and answers; return whether it had to be started."""
    config = config_text(settings)
    if service.runs_with(settings, NAME, config) and answers(settings):
        return False
    places = service.prepare(settings, NAME, config)
    (settings.images / "registry").mkdir(parents=True, exist_ok=True)
    inside = ["nsenter", f"--net={NAMESPACES / settings.name}"]
    words = [*inside, _PROGRAM, "serve", str(places.config)]
    service.start(settings, NAME, words, lambda: answers(settings))
    return True


def config_text(settings: LabSettings) -> str:
    """Return what the registry is told, in JSON, which is YAML too."""
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(settings.images / "registry")}},
        "http": {
            "addr": f"{CONTROLLER}:{PORT}",
            "relativeurls": True,
            # Signs the state of uploads between requests; it protects nothing of value here.
            "secret": uuid.uuid5(uuid.NAMESPACE_URL, str(settings.root)).hex,
        },
    }
    return json.dumps(config, indent=2) + "\n"


def answers(settings: LabSettings) -> bool:
    """Return whether the registry of this lab answers a client in the lab's network."""
    if not exists(settings):
        return False
    try:
        with session(settings, seconds=_ANSWER_SECONDS) as connection:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
    except KbzError:
        return False


@contextmanager
def session(settings: LabSettings, seconds: float = _TRANSFER_SECONDS) -> Iterator[HTTPConnection]:
    """Yield a connection to the registry, made from the controller's network namespace.

    Raises KbzError when the registry cannot be reached, or goes away while it is talked to.
    """
    connection = HTTPConnection(str(CONTROLLER), PORT, timeout=seconds, blocksize=_BLOCK)
    try:
        with visiting(NAMESPACES / settings.name):
            connection.connect()
        yield connection
    except (OSError, HTTPException) as error:
        raise KbzError(
            f"the lab's registry does not work: {error}", where="lab", hint="kbz lab up"
        ) from error
    finally:
        connection.close()
