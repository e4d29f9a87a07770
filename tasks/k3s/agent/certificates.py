"""When the certificates end that K3s keeps on a host. Their keys are not opened."""

from __future__ import annotations

import base64
import calendar
import stat
import time

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_SEQUENCE, _VERSION, _UTC, _GENERALIZED = 0x30, 0xA0, 0x17, 0x18
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_MOST = 200
"""Files that are told: K3s keeps some thirty."""


def answer_k3s_certificates(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the first certificate of each `.crt` file in these folders, by its path, and the host's own clock.

    The first is the one that the file is about; authorities may follow it.
    """
    del context
    found = [path for folder in query["folders"] for path in _files(folder)]
    ends = {path: _end_of(path) for path in found[:_MOST]}
    return {"ends": ends, "now": int(time.time())}


def _files(folder: str) -> list[str]:
    if not opener.is_folder(folder):
        return []
    names = (name for name, kind in opener.entries(folder) if kind == stat.S_IFREG)
    return [f"{folder}/{name}" for name in sorted(names) if name.endswith(".crt")]


def _end_of(path: str) -> int:
    """Return when a file's first certificate ends, in seconds since the epoch."""
    _, begun, rest = opener.text(path, opener.SMALL).partition(_BEGIN)
    body, ended, _ = rest.partition(_END)
    if not (begun and ended):
        raise AgentError(f"{path} holds no certificate", f"look at it: openssl x509 -in {path}")
    try:
        return end(base64.b64decode("".join(body.split()), validate=True))
    except (ValueError, IndexError) as error:
        raise AgentError(f"{path} is no certificate: {error}") from None


def end(der: bytes) -> int:
    """Return the notAfter of a certificate (RFC 5280, 4.1) in seconds since the epoch; ValueError for anything else."""
    at = _inside(der, _inside(der, 0))
    if der[at] == _VERSION:
        at = _behind(der, at)
    for _ in ("serial number", "signature", "issuer"):
        at = _behind(der, at)
    at = _behind(der, _inside(der, at))
    begin, behind = _bounds(der, at)
    return _seconds(der[at], der[begin:behind].decode("ascii"))


def _seconds(tag: int, text: str) -> int:
    """Return a time of ASN.1: RFC 5280 has both forms in whole seconds of UTC."""
    if tag == _UTC:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED:
        raise ValueError("its end is no time")
    if len(text) != 15 or text[14] != "Z":
        raise ValueError("its end is no time")
    parts = (text[:4], *(text[place : place + 2] for place in range(4, 14, 2)))
    return calendar.timegm((*map(int, parts), 0, 0, 0))


def _inside(der: bytes, at: int) -> int:
    """Return where the content of a sequence begins."""
    if der[at] != _SEQUENCE:
        raise ValueError("it is not in the form of X.509")
    return _bounds(der, at)[0]


def _behind(der: bytes, at: int) -> int:
    """Return where an element ends, and the next one begins."""
    return _bounds(der, at)[1]


def _bounds(der: bytes, at: int) -> tuple[int, int]:
    """Return where an element's content begins and ends (X.690, 8.1.3)."""
    begin, length = at + 2, der[at + 1]
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    if begin + length > len(der):
        raise ValueError("it is cut off")
    return begin, begin + length
