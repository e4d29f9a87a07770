"""Files of the controller that were planted: pipes as inputs, links as temporary files, open folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keybuzz.cli.look.report import _read as read_health
from keybuzz.engine.change.saved_plan import load as load_plan
from keybuzz.engine.schedule.placing import _write as write_schedule
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.policy.files import read_paths
from keybuzz.policy.team.baseline import read_baseline
from keybuzz.site.credentials.store import write_private
from keybuzz.site.files.private import private_folder
from keybuzz.site.files.problems import read_file
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.files.whole import put, put_over
from keybuzz.site.groups import load_groups
from keybuzz.site.load import read_configuration
from keybuzz.site.versions import lock_file
from keybuzz.transport.ssh.pinning import read_text, rewrite
from tests.unit.support.inventory_files import real_catalogue

READERS: dict[str, Callable[[Path], object]] = {
    "any file of the site": lambda path: read_file(path, 1000),
    "nornir_config.yaml": read_configuration,
    "servers.tsv": lambda path: read_servers(path, real_catalogue()),
    "groups.yaml": load_groups,
    "versions.yaml": lambda path: lock_file(path, path, {}),
    "a saved plan": load_plan,
    "an answer of kbz health": read_health,
    "known_hosts": read_text,
    "a baseline of a policy check": read_baseline,
}
KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
WRITERS: dict[str, Callable[[Path], object]] = {
    "pinned keys": lambda path: rewrite(path, lambda text: text + "new\n"),
    "credentials": lambda path: write_private(path, b"new\n"),
    "a schedule": lambda path: write_schedule(path, "new\n"),
    "a file of the site": lambda path: put(path, b"new\n", 0o644),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_an_input_that_is_no_file_is_refused_in_words(
    tmp_path: Path, reader: str, kind: str
) -> None:
    path = tmp_path / "input"
    KINDS[kind](path)
    with pytest.raises(InputError) as caught:
        READERS[reader](path)
    assert caught.value.where == str(path)
    assert kind.partition(" ")[2] in caught.value.what


def test_a_pipe_among_the_files_of_an_application_is_told_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "compose.yaml")
    found = read_paths([tmp_path / "compose.yaml"], tmp_path)
    assert found.documents == ()
    assert [item.why for item in found.unread] == ["is no regular file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_planted_at_the_name_of_a_new_file_is_not_written_to(
    tmp_path: Path, writer: str
) -> None:
    """A planted `.known_hosts.kbz-new` once emptied what it led to."""
    precious, path = tmp_path / "precious", tmp_path / "known"
    precious.write_text("precious\n")
    for name in (".known.kbz-new", ".known.new"):
        (tmp_path / name).symlink_to(precious)
    WRITERS[writer](path)
    assert precious.read_text() == "precious\n"
    assert path.read_text() == "new\n"
    assert not path.is_symlink()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_state_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    state = tmp_path / "state 1"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(InputError, match="may be written by other users") as caught:
        private_folder(state)
    assert f"chmod 0700 '{state}'" in caught.value.hint, "safe to paste"
    state.chmod(0o755)
    private_folder(state)


def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a folder away")
    os.chown(tmp_path, 999, 999)
    with pytest.raises(InputError, match="belongs to the user 999"):
        private_folder(tmp_path)


def test_a_file_that_is_replaced_keeps_its_owner_mode_and_the_link_to_it(tmp_path: Path) -> None:
    """site.yaml may be a link into a checkout that belongs to another operator."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "etc").mkdir()
    real, link = tmp_path / "checkout" / "site.yaml", tmp_path / "etc" / "site.yaml"
    real.write_bytes(b"old\n")
    real.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(real, 999, 998)
    link.symlink_to("../checkout/site.yaml")
    before = real.stat()
    put_over(link, b"new\n")
    after = real.stat()
    assert link.is_symlink()
    assert real.read_bytes() == b"new\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "checkout",
        "etc",
        "site.yaml",
        "site.yaml",
    ]


def test_an_owner_that_cannot_be_kept_is_a_refusal_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, user: int, group: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "site.yaml"
    path.write_bytes(b"old\n")
    monkeypatch.setattr(os, "fchown", refused)
    if os.geteuid() == 0:
        os.chown(path, 999, 998)
        with pytest.raises(RefusedError, match="999:998") as caught:
            put_over(path, b"new\n")
        assert "run the command as its owner" in caught.value.hint
        assert path.read_bytes() == b"old\n"
    else:
        put_over(path, b"new\n")
    assert [item.name for item in tmp_path.iterdir()] == ["site.yaml"]


def test_a_new_file_has_its_mode_from_the_first_moment(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        put(tmp_path / "x", b"", 0o640)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_two_that_write_the_same_file_at_once_leave_one_of_the_two_whole(tmp_path: Path) -> None:
    """With one name for both, each removed the new file of the other, or put it in place half written."""
    place = tmp_path / "policies.yaml"
    contents = [letter * 100_000 for letter in (b"a", b"b")]

    def write(content: bytes) -> bool:
        for _ in range(12):
            put(place, content, 0o600)
            if place.read_bytes() not in contents:
                return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(write, contents)) == [True, True]
    assert [path.name for path in tmp_path.iterdir()] == ["policies.yaml"]


def test_what_a_killed_writer_has_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".site.yaml.x1.kbz-new", tmp_path / ".site.yaml.x2.kbz-new"
    for left in (old, young):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    put(tmp_path / "site.yaml", b"whole", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "site.yaml"]
