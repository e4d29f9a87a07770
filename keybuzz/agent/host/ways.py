"""What leads programs of this host elsewhere: routes inside a network of ours, and a library for every program."""

from __future__ import annotations

from keybuzz.agent.guard import opener

ROUTES = "/proc/net/route"
PRELOAD = "/etc/ld.so.preload"
_UP = 1


def ways() -> list[list[str]]:
    """Return identity and meaning of each."""
    found = [
        [f"route {shown}", f"leads past {iface}: part of its network"] for shown, iface in _within()
    ]
    if _text(PRELOAD).strip():
        found.append([PRELOAD, "is loaded into every program"])
    return sorted(found)


def _within() -> list[tuple[str, str]]:
    """Return each route whose network is a part of another interface's, with that interface.

    Docker picks networks by chance, and a route of its bridge into the private network takes the peers there away.
    """
    with open(ROUTES, encoding="ascii") as file:
        routes = _routes(file.read(1 << 20))
    found = []
    for iface, network, mask in routes:
        for other, wider, its_mask in routes:
            inside = its_mask and its_mask < mask and network & its_mask == wider
            if inside and other != iface and other != "*":
                shown = f"{_dotted(network)}/{mask.bit_count()} by {iface.replace('*', 'nothing')}"
                found.append((shown, other))
                break
    return found


def _routes(text: str) -> list[tuple[str, int, int]]:
    """Return interface, network and mask of each; the kernel writes them as little-endian numbers."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and int(words[3], 16) & _UP:
            found.append((words[0], _number(words[1]), _number(words[7])))
    return found


def _number(text: str) -> int:
    return int.from_bytes(int(text, 16).to_bytes(4, "little"), "big")


def _dotted(number: int) -> str:
    return ".".join(str(part) for part in number.to_bytes(4, "big"))


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except FileNotFoundError:
        return ""
