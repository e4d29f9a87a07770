"""The client of Redis, from the modules whose place this one takes."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FILE = Path(__file__).parents[5] / "tasks/redis/drill/client.py"
_SPEC = spec_from_file_location("redis_client", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
_FOUND = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FOUND)
connect = _FOUND.connect
