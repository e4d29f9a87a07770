"""The name servers that hosts of the fleet ask: dnsmasq in the controller's namespace, at their addresses.

They know no name, as the real ones know none of a private network, and say so at once. Programs look up the peers that
connect to them: with no answer at all, each of eight connections of one state transfer (rsync) took 10 s.
"""

from __future__ import annotations

import secrets
import socket

from keybuzz.lab import service
from keybuzz.lab.hosts.process import run
from keybuzz.lab.layout import NAME_SERVERS, NAMESPACES
from keybuzz.lab.network.namespace import exists, visiting
from keybuzz.lab.network.network import BRIDGE
from keybuzz.model.inventory.lab import LabSettings

NAME = "resolver"
PORT = 53
_PROGRAM = "/usr/sbin/dnsmasq"
_ANSWER_SECONDS = 1.0
_QUESTION = b"\x01\x00" + b"\x00\x01" + bytes(6) + b"\x03lab\x00" + b"\x00\x01\x00\x01"
"""A recursive query of one name: A of `lab.` (RFC 1035, 4.1), without its id."""
_NO_SUCH_NAME = 3
CONFIG = "\n".join(
    (
        "no-resolv",
        "no-hosts",
        "address=/#/",  # any name: there is no such name
        "bogus-priv",  # nor one of a private address
        "bind-interfaces",
        *(f"listen-address={address}" for address in NAME_SERVERS),
        "",
    )
)
"""What dnsmasq is told."""


def ensure(settings: LabSettings) -> bool:
    """Make sure that the name servers run and answer; return whether they had to be started."""
    if service.runs_with(settings, NAME, CONFIG) and answers(settings):
        return False
    for address in NAME_SERVERS:
        run(["ip", "-n", settings.name, "address", "replace", f"{address}/32", "dev", BRIDGE])
    config = service.prepare(settings, NAME, CONFIG).config
    words = ["nsenter", f"--net={NAMESPACES / settings.name}", _PROGRAM, "--keep-in-foreground"]
    words += [f"--conf-file={config}", "--pid-file", "--log-facility=-"]
    service.start(settings, NAME, words, lambda: answers(settings))
    return True


def answers(settings: LabSettings) -> bool:
    """Return whether each name server of this lab says that there is no name `lab.`."""
    if not exists(settings):
        return False
    with visiting(NAMESPACES / settings.name):
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in NAME_SERVERS]
    try:
        return all(
            _says_no(client, str(address))
            for client, address in zip(clients, NAME_SERVERS, strict=True)
        )
    finally:
        for client in clients:
            client.close()


def _says_no(client: socket.socket, address: str) -> bool:
    number = secrets.token_bytes(2)
    client.settimeout(_ANSWER_SECONDS)
    try:
        client.connect((address, PORT))
        client.send(number + _QUESTION)
        answer = client.recv(512)
    except OSError:
        return False
    return answer[:2] == number and answer[3] & 0xF == _NO_SUCH_NAME
