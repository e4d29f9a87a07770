"""The demo service shows its secrets as Redis does: the product's own words of Redis."""

from __future__ import annotations

import runpy
from pathlib import Path

from keybuzz.model.said.spelling import ModuleSays

_REDIS = Path(__file__).parents[5] / "tasks" / "redis" / "said.py"
SAYS: ModuleSays = runpy.run_path(str(_REDIS))["SAYS"]
