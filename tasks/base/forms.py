"""Forms of module base's own parameters: networks and ports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network

from keybuzz.site.parameters.forms import NONE

_PORT = re.compile(r"([1-9][0-9]{0,4})/(tcp|udp)")


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks and addresses, separated by spaces; `none` for no one."""

    @property
    def words(self) -> str:
        """What the value must be."""
        return "networks or addresses separated by spaces, such as 198.51.100.7 203.0.113.0/24, or none"

    def parse(self, text: str) -> tuple[str, ...]:
        """Return them as ufw writes them: a single address without its length."""
        networks = [ip_network(word) for word in _words(text)]
        return tuple(
            str(network.network_address if network.num_addresses == 1 else network)
            for network in networks
        )


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports with their protocol, separated by spaces; `none` for no one."""

    @property
    def words(self) -> str:
        """What the value must be."""
        return "ports separated by spaces, such as 25/tcp 443/udp, or none"

    def parse(self, text: str) -> tuple[tuple[int, str], ...]:
        """Return port and protocol of each."""
        found = []
        for word in _words(text):
            match = _PORT.fullmatch(word)
            if match is None or int(match[1]) > 65535:
                raise ValueError(word)
            found.append((int(match[1]), match[2]))
        return tuple(found)


def _words(text: str) -> tuple[str, ...]:
    if text == NONE:
        return ()
    if not text.split():
        raise ValueError(text)
    return tuple(text.split())
