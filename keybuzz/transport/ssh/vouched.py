"""Host keys that came another way than over the network: a known_hosts file, or a list of fingerprints."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from keybuzz.transport.ssh.known_hosts import fingerprint, lines_of, pinned_keys
from keybuzz.transport.ssh.pinning import ShownKey

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/])")


class Vouched(Enum):
    """What the file says of the key that a host shows."""

    SAME = "as in the file"
    OTHER = "another key than in the file"
    NONE = "not in the file"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The text of such a file. Each line of a list has a fingerprint and a name or an address, in any order."""

    text: str

    @property
    def empty(self) -> bool:
        """True when no line of it is of either form."""
        return not any(_useful(line) for line in self._lines())

    def says(self, key: ShownKey, address: str, names: Iterable[str]) -> Vouched:
        """Compare the key that a host shows with what the file has for its address or one of its names."""
        places = (address, *names)
        listed = self._listed(places)
        for place in places:
            pinned = pinned_keys(self.text, place, 22)
            if key.blob in pinned.revoked:
                return Vouched.OTHER
            listed |= {_of_blob(blob) for _, blob in pinned.accepted} - {""}
        if not listed:
            return Vouched.NONE
        return Vouched.SAME if key.fingerprint in listed else Vouched.OTHER

    def _lines(self) -> Iterator[str]:
        """Return the lines that are no comments: a comment vouches for nothing."""
        for line in lines_of(self.text):
            if not line.lstrip().startswith("#"):
                yield line

    def _listed(self, places: Iterable[str]) -> set[str]:
        """Return the fingerprints of lines that have one of these names or addresses as a word."""
        wanted = {place.lower() for place in places}
        found: set[str] = set()
        for line in self._lines():
            match = _FINGERPRINT.search(line)
            if match and wanted & set(re.split(r"[\s,()]+", line.lower())):
                found.add(match[0])
        return found


def _useful(line: str) -> bool:
    return bool(_FINGERPRINT.search(line)) or len(line.split()) >= 3


def _of_blob(blob: str) -> str:
    try:
        return fingerprint(base64.b64decode(blob, validate=True))
    except ValueError:
        return ""
