"""Files are read and written by few functions of the controller, which refuse pipes, devices and planted links."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.below import own_folder, put_below

ROOT = Path(__file__).parents[3] / "keybuzz"
RAW = {"open", "read_bytes", "read_text", "write_bytes", "write_text"}
BY_ITSELF = {
    "agent": "opened_files of the agent's own tests hold it to its one opener",
    "lab": "root's own folders of a lab",
}
NO_FILES = {
    *("os.open", "opener.open", "tarfile.open", "webbrowser.open", "link.open", "plugin.open"),
    "place.open",
}
"""Calls of the same names that open something else, or say by flags what they refuse."""
REASONS = {
    "cli/lab/lab.py": "the overlay, which was read as a site's file before",
    "cli/lab/lab_site.py": "versions.yaml, which was read as a site's file before",
    "engine/shards/fingerprint.py": "files of the product itself",
    "engine/shards/relay.py": "what its own ssh has logged",
    "cli/look/explain.py": "a page of the product itself",
    "cli/support/offers.py": "a page of the product itself",
    "cli/support/endings.py": "/proc",
    "cli/site/policy.py": "a file that the check has read before",
    "engine/change/steps.py": "an artefact: a regular file by its own question before",
    "engine/schedule/placing.py": "a unit or crontab in a folder of root's",
    "engine/schedule/standing.py": "a unit or crontab in a folder of root's",
    "engine/preflight/controller.py": "an artefact: a regular file by its own question before",
    "engine/images/image_lint.py": "files of a folder: regular ones by its own question before",
    "engine/images/images.py": "an archive of the builder, in a folder that was made for it",
    "engine/images/members.py": "an archive of a host, in a folder that was made for it",
    "engine/memory/journal.py": "/proc",
    "engine/memory/who.py": "/proc",
    "report/runbooks.py": "a page of the product itself",
    "site/credentials/store.py": "the store, of which each file was read and judged before",
    "site/load.py": "programs that are regular files by its own question",
    "transport/bundle.py": "the product itself",
    "transport/ssh/own_keys.py": "the key of the settings, with which each session has logged in before",
}
"""Each place that opens a file by itself, and why nobody can put something else there."""


def raw_opens(path: Path) -> list[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return [
        f"line {call.lineno}"
        for call in calls
        if (
            (isinstance(call.func, ast.Attribute) and call.func.attr in RAW)
            and ast.unparse(call.func) not in NO_FILES
        )
        or (isinstance(call.func, ast.Name) and call.func.id == "open")
    ]


def test_every_other_file_is_opened_by_what_refuses_pipes_devices_and_links() -> None:
    found = {
        str(path.relative_to(ROOT)): opens
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] not in BY_ITSELF and (opens := raw_opens(path))
    }
    assert found.keys() == REASONS.keys()


BY_PATH = {
    "os.open": {
        "cli/lab/lab_faults.py": "a namespace of /proc",
        "cli/support/lasting.py": "/dev/null",
        "engine/change/saved_plan.py": "a new file, which must not be there",
        "engine/memory/who.py": "sshd's file of this session, judged as the opener does",
        "policy/files.py": "the opener of an application's files",
        "site/files/private.py": "the opener of the state folder",
        "site/files/problems.py": "the opener of a site's files",
        "site/files/whole.py": "a new file, which must not be there, and its folder",
        "transport/said/debug_log.py": "the opener of the debug log, which takes a regular file only",
        "transport/ssh/pinning.py": "the opener of pinned keys, and a new file, which must not be there",
    },
    "sqlite3.connect": {
        "engine/memory/database.py": "the opener of the journal",
        "engine/memory/forgetful.py": "in memory",
        "engine/memory/journal_reader.py": "judged by the opener of the journal before",
    },
}
"""Calls that open what lies at a path, the files that may make them, and why."""


@pytest.mark.parametrize("call", BY_PATH)
def test_only_an_opener_opens_by_a_path(call: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] not in BY_ITSELF
        and any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == call
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert found == BY_PATH[call].keys()


def _folder(out: Path) -> Path:
    made = out / "db-01/etc"
    made.mkdir(parents=True)
    return made


PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "the file": lambda out, precious: (_folder(out) / "app.conf").symlink_to(precious / "file"),
    "a pipe": lambda out, precious: os.mkfifo(_folder(out) / "app.conf"),
    "its folder": lambda out, precious: (out / "db-01").symlink_to(precious),
    "the new file's name": lambda out, precious: (_folder(out) / ".app.conf.kbz-new").symlink_to(
        precious / "file"
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_in_a_folder_of_rendered_files_is_not_followed(
    tmp_path: Path, what: str
) -> None:
    precious, out = tmp_path / "precious", own_folder(tmp_path / "out")
    precious.mkdir()
    (precious / "file").write_text("precious")
    PLANTED[what](out, precious)
    if what == "its folder":
        with pytest.raises(InputError) as refused:
            put_below(out, "db-01/etc/app.conf", "new")
        assert refused.value.where == str(out / "db-01")
    else:
        put_below(out, "db-01/etc/app.conf", "new")
        assert (out / "db-01/etc/app.conf").read_text() == "new"
    assert {path.name: path.read_text() for path in precious.iterdir()} == {"file": "precious"}


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(InputError, match="may be written by other users") as caught:
        own_folder(tmp_path)
    assert "chmod go-w" in caught.value.hint
    tmp_path.chmod(0o700)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link"):
        own_folder(tmp_path / "link")
    assert own_folder(tmp_path / "new").stat().st_mode & 0o777 == 0o700
