"""The owner's own notes: their Dockerfile, verbatim, is reported for what is wrong with it (A1 to A3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.policy.check import check_text
from tests.unit.support.policy_values import context

DOCKERFILE = (Path(__file__).parent / "notes_patroni.Dockerfile").read_text(encoding="utf-8")
NOTES = f"""**Dockerfile Patroni (basé sur les scripts existants)** :
```dockerfile
{DOCKERFILE}```

**Image finale** : `patroni-pg16-raft:latest` (ou `keybuzz/patroni-postgres16:latest`)

- ❌ **INTERDICTION** : Ne JAMAIS utiliser `latest`
- ✅ `mc alias set minio http://10.0.0.134:9000 <USER> <PASSWORD>`, propriété `root:root`
"""
WRONG = [
    ("PG-2", 1, "postgres:16.4-alpine"),
    ("KBZ-2", 5, "apt-get"),
    ("PG-2", 9, "python3-psycopg2"),
    ("PG-2", 18, "python-etcd"),
    ("VER-1", 18, "python-etcd"),
    ("KBZ-2", 25, "apt-get"),
]


def test_the_owners_dockerfile_is_reported_line_by_line() -> None:
    found = check_text("Dockerfile", DOCKERFILE, context())
    assert [(item.rule, item.line, item.excerpt) for item in found] == WRONG
    assert found[1].message == (
        "apt-get is the package manager of Debian, and postgres:16.4-alpine has none"
    )
    assert found[0].instead == "FROM postgres:16.4-bookworm"


def test_the_notes_are_read_as_markdown_at_their_own_lines() -> None:
    found = check_text("installation-notes.fr.md", NOTES, context())
    inside = [(item.rule, item.line - 2, item.excerpt) for item in found if item.line < 40]
    assert inside == WRONG
    outside = [(item.rule, item.excerpt, item.instead) for item in found if item.line >= 40]
    instead = "write keybuzz/patroni-postgres16:16.4-3.3.0"
    assert outside == [
        ("VER-1", "patroni-pg16-raft:latest", instead),
        ("VER-1", "keybuzz/patroni-postgres16:latest", instead),
    ]


def test_kbz_own_image_passes() -> None:
    folder = Path(__file__).parents[3] / "tasks" / "patroni" / "image"
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert check_text("Dockerfile", text, context()) == ()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--only-binary :all: --timeout 60 --root-user-action ignore -r locked.txt", []),
        ("--no-binary psycopg2 --extra-index-url mirror flask", ["flask"]),
        ("--use-pep517 flask==3.0.0 gunicorn", ["gunicorn"]),
    ],
)
def test_the_value_of_an_option_of_pip_is_no_package(words: str, named: list[str]) -> None:
    text = f"FROM python@sha256:{'a' * 64}\nRUN pip install {words}\n"
    found = check_text("Dockerfile", text, context())
    assert [violation.excerpt for violation in found if violation.rule == "VER-1"] == named
