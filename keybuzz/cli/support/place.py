"""Where the site is: --config, KBZ_CONFIG, this folder, or /etc/kbz, so that code and site can be apart."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "nornir_config.yaml"
VARIABLE = "KBZ_CONFIG"
SYSTEM = Path("/etc/kbz") / NAME


def configuration(given: str | None) -> str:
    """Return the configuration file: what was given, the variable's, this folder's, or the system's."""
    named = given or os.environ.get(VARIABLE, "")
    if named:
        return named
    return NAME if Path(NAME).exists() or not SYSTEM.exists() else str(SYSTEM)
