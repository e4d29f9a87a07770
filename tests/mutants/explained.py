"""Survivors that no test should kill, each with the reason: file, what stood there, what stands there, why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str, str], str] = {}
_PLANNING = "keybuzz/engine/look/planning.py"
_MEMORY = "how much is remembered changes no answer"

for _now in ("@lru_cache(maxsize= 2049)", "@lru_cache(maxsize= 2047)", ""):
    EXPLAINED[_PLANNING, "@lru_cache(maxsize=2048)", _now] = _MEMORY
