"""What is a module's own lies in its folder: the product names no module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from keybuzz.engine.catalogue import all_modules

ROOT = Path(__file__).parents[3]
WORDS = {
    "backup": "barman",
    "galera": "galera|mariadb|wsrep",
    "minio-client": r"minio-?alias\b",
    "postgres-proxy": "pgbouncer",
    "rabbitmq": "rabbit",
    "redis": "redis|sentinel",
}
"""What names a module, or the service that is its own, where that is not the module's name."""
OF_ALL = {"base"}
"""A name that is also a word of kbz itself."""


def naming(pattern: str) -> Iterator[str]:
    """Yield each file of keybuzz/ that has such a word, in its name or in its text."""
    words = re.compile(pattern, re.IGNORECASE)
    for path in sorted((ROOT / "keybuzz").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "py.typed":
            name = path.relative_to(ROOT).as_posix()
            if words.search(name) or words.search(path.read_text(encoding="utf-8")):
                yield name


def test_a_name_would_be_seen() -> None:
    assert "keybuzz/site/modules.py" in set(naming("modules"))


def test_the_product_names_no_module() -> None:
    found = {
        (module, path)
        for module in {module.name for module in all_modules()} - OF_ALL
        for path in naming(WORDS.get(module, module))
    }
    assert found == set()
