"""The state folder: nothing that another user planted in it is followed, waited for, read or written."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from keybuzz.engine.images.images import archive_of
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.fault import of_a_fault
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.memory.journal_reader import DocumentsReader, JournalReader
from keybuzz.engine.memory.lock import at_work, leases, read_holder
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.redact import Redactor
from keybuzz.site.digest_key import digest_key, known_digest_key
from keybuzz.site.files.private import StateError
from keybuzz.site.module import ImageBuild

PRECIOUS = b"precious\n"


def lease(state: Path) -> object:
    with leases(state / "leases", ("redis",), "kbz run redis"):
        return None


def archive(state: Path) -> object:
    build = ImageBuild("kbz/x:1", {}, {})
    return archive_of(build, state / "no.sock", state / "images", lambda event: None)


USERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a lease": ("leases/redis.lease", lease),
    "the journal": ("journal.sqlite", lambda state: Journal(state / "journal.sqlite")),
    "the journal's log": ("journal.sqlite-wal", lambda state: Journal(state / "journal.sqlite")),
    "the journal, read": (
        "journal.sqlite",
        lambda state: JournalReader(state / "journal.sqlite").runs(1),
    ),
    "the documents": ("journal.sqlite", lambda state: Documents(state / "journal.sqlite")),
    "the documents, read": (
        "journal.sqlite",
        lambda state: DocumentsReader(state / "journal.sqlite").runs("health"),
    ),
    "the digest key": ("digest.key", digest_key),
    "the digest key of a policy check": ("digest.key", known_digest_key),
    "an image": ("images/kbz_x_1.tar", archive),
}
"""What kbz opens there, and who does."""


def device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes a device")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def of_another_user(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a file away")
    path.write_bytes(PRECIOUS)
    os.chown(path, 999, 999)


def writable(path: Path) -> None:
    path.write_bytes(PRECIOUS)
    path.chmod(0o666)


PLANTED: dict[str, Callable[[Path], object]] = {
    "a link": lambda path: path.symlink_to(path.with_name("precious")),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("missing")),
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a device": device,
    "a file of another user": of_another_user,
    "a file that all may write": writable,
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    for folder in (made, made / "leases", made / "images"):
        folder.mkdir(mode=0o700)
        (folder / "precious").write_bytes(PRECIOUS)
    return made


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("user", USERS)
def test_what_was_planted_is_refused_and_not_touched(state: Path, user: str, planted: str) -> None:
    name, act = USERS[user]
    PLANTED[planted](state / name)
    before = (state / name).lstat()
    with pytest.raises(StateError) as refused:
        act(state)
    assert refused.value.where == str(state / name)
    assert refused.value.hint
    after = (state / name).lstat()
    assert (before.st_ino, before.st_mode, before.st_size) == (
        after.st_ino,
        after.st_mode,
        after.st_size,
    )
    for folder in (state, state / "leases", state / "images"):
        assert (folder / "precious").read_bytes() == PRECIOUS
        assert not (folder / "missing").exists()


@pytest.mark.parametrize("user", USERS)
def test_a_folder_that_others_may_write_is_refused_by_every_one(state: Path, user: str) -> None:
    name, act = USERS[user]
    for folder in {(state / name).parent, state}:
        folder.chmod(0o777)
        with pytest.raises(StateError, match="may be written by other users"):
            act(state)
        folder.chmod(0o700)
    assert {path.name for path in state.iterdir()} == {"leases", "images", "precious"}


@pytest.mark.parametrize("folder", ["leases", "images"])
def test_a_folder_in_it_is_no_link(state: Path, tmp_path: Path, folder: str) -> None:
    (tmp_path / "there").mkdir()
    (state / folder / "precious").unlink()
    (state / folder).rmdir()
    (state / folder).symlink_to(tmp_path / "there")
    with pytest.raises(StateError, match="is a link"):
        {"leases": lease, "images": archive}[folder](state)
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("planted", ["a link", "a pipe", "a device"])
def test_who_only_asks_for_a_holder_sees_none(state: Path, planted: str) -> None:
    PLANTED[planted](state / "leases/redis.lease")
    assert read_holder(state / "leases/redis.lease") is None
    assert at_work(state / "leases", ("redis",)) == ()


def test_a_fault_writes_its_details_nowhere_but_in_a_folder_of_its_own(state: Path) -> None:
    state.chmod(0o777)
    assert "the details are in" not in str(of_a_fault(ValueError("x"), state, Redactor(())))
    assert list(state.glob("fault-*")) == []


@pytest.mark.parametrize(
    ("content", "mode", "what"),
    [
        (b"", 0o600, "is no key: it has 0 bytes"),
        (b"k" * 31, 0o600, "is no key: it has 31 bytes"),
        (b"k" * 33, 0o600, "is larger than 32 bytes"),
        (b"k" * 32, 0o644, "other users may read it (mode 0644)"),
        (b"k" * 32, 0o640, "other users may read it (mode 0640)"),
    ],
)
def test_a_key_that_is_none_or_that_others_know_is_refused(
    state: Path, content: bytes, mode: int, what: str
) -> None:
    path = state / "digest.key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(StateError) as refused:
        digest_key(state)
    assert what in refused.value.what
    assert path.read_bytes() == content


def test_a_policy_check_makes_no_state_folder(tmp_path: Path) -> None:
    assert known_digest_key(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()


def test_a_lease_whose_file_was_removed_is_still_held(state: Path) -> None:
    folder = state / "leases"
    with leases(folder, ("redis",), "kbz run redis"):
        (folder / "redis.lease").unlink()
        for _ in range(2):  # the first one leaves nothing that the second could take
            with pytest.raises(RefusedError) as refused, leases(folder, ("redis",), "kbz run"):
                raise AssertionError("two at once")
            assert f"pid {os.getpid()}, by a file that was removed" in refused.value.what
        with leases(folder, ("galera",), "kbz run galera"):
            pass
    lease(state)


def test_a_lease_whose_file_was_removed_while_it_waits_is_taken_on_the_new_one(state: Path) -> None:
    folder = state / "leases"
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with leases(folder, ("redis",), "kbz run redis"):
            held.set()
            done.wait(20)

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(20)
    (folder / "redis.lease").unlink()
    threading.Timer(0.3, done.set).start()
    with leases(folder, ("redis",), "kbz run", wait=20):
        first.join(20)
        with pytest.raises(RefusedError), leases(folder, ("redis",), "kbz run"):
            raise AssertionError("two at once")


def test_a_disk_that_takes_no_sign_of_life_takes_no_lease_away(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten = threading.Event()

    def read_only(*_: object) -> None:
        beaten.set()
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("keybuzz.engine.memory.lock._HEARTBEAT", 0.01)
    for name in ("utime", "pwrite", "ftruncate"):
        monkeypatch.setattr(f"keybuzz.engine.memory.lock.os.{name}", read_only)
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    with leases(state / "leases", ("redis",), "kbz run redis"):
        beaten.clear()
        assert beaten.wait(20)
        with pytest.raises(RefusedError), leases(state / "leases", ("redis",), "kbz run"):
            raise AssertionError("two at once")
    assert failed == []


def test_a_state_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError) as refused:
        lease(tmp_path / "file")
    assert "paths.state" in refused.value.hint or "is a file" in refused.value.what
