"""JSON by the half of the standard library's `json` that is written in C.

Its other half imports `re`, and that costs a host more time than all else that the agent does before its first answer.
A Python without this half, or with another one, gets the whole library.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


class _Reading:
    """What `json.loads` tells the scanner when it is called without any option."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": -float("inf")}.get


def well_formed(value: Any) -> Any:
    """Return a value of JSON whose texts all have a form in UTF-8: bytes that have none are spelled, as `\\udcff`.

    Names of files may hold such bytes. The controller takes no frame in which a text has no form.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {well_formed(name): well_formed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [well_formed(item) for item in value]
    return value


def parse(data: bytes) -> Any:
    """Return what JSON of any program holds, as `json.loads` does; ValueError when it is none."""
    if not data[:1].isascii() or b"\0" in data[:4]:
        import json  # it begins with a byte order mark, or is in UTF-16

        return json.loads(data)
    return loads(data.decode("utf-8", "surrogatepass").strip(" \t\n\r"))


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _by_c() -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    scan = make_scanner(_Reading)  # type: ignore[arg-type]  # it wants the attributes of a JSONDecoder, not its class

    def write(value: Any) -> str:
        found: dict[
            int, Any
        ] = {}  # containers that are being written: one inside itself is refused
        encode = make_encoder(
            found, _refuse, encode_basestring_ascii, None, ":", ",", False, False, True
        )
        return "".join(encode(value, 0))

    def read(text: str) -> Any:
        try:
            value, end = scan(text, 0)
        except StopIteration as error:
            raise ValueError(f"there is no value at character {error.value}") from None
        if end != len(text):
            raise ValueError(f"something follows at character {end}")
        return value

    if read(write([{"é": [1, 2.5, None, True]}])) != [{"é": [1, 2.5, None, True]}]:
        raise ImportError("this is another _json")
    return write, read


def _by_library() -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    import json

    return (lambda value: json.dumps(value, separators=(",", ":"))), json.loads


try:
    dumps, loads = _by_c()
except (ImportError, AttributeError, TypeError, ValueError):
    dumps, loads = _by_library()
