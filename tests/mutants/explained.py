"""Survivors that no test should kill, each with the reason: file, what stood there, what stands there, why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str, str], str] = {}
