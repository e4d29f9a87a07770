"""The program of backup-01 over a real restic: what goes in comes out, and what is damaged does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.backup.store.catalogue import Kept, parse
from tasks.backup.store.places import LOADER, source

pytestmark = pytest.mark.skipif(
    shutil.which("restic") is None, reason="restic is not installed: scripts/setup does it for root"
)
KEY = "PlantedNeedleOfTheRepository"
Ended = subprocess.CompletedProcess[str]


class Store:
    """A repository below a folder, worked on as kbz does it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / "staging" / "redis"

    def __call__(self, *words: str, key: str = KEY, path: str = os.environ["PATH"]) -> Ended:
        return subprocess.run(
            [sys.executable, "-I", "-c", LOADER, str(self.root), *words],
            env={"PATH": path},
            input=f"{key}\n{source('repository')}",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def good(self, *words: str) -> None:
        done = self(*words)
        assert done.returncode == 0, done.stderr

    def filled(self, text: str = "three keys") -> None:
        """Have the files of a service lie where they are put in from."""
        self.good("begin", "redis")
        (self.staging / "redis.rdb").write_text(text)
        (self.staging / "kbz.counts.json").write_text('{"keys": 3}')

    def keep(self, text: str = "three keys", cluster: str = "kb, redis") -> str:
        """Put one backup in and return its id."""
        self.filled(text)
        self.good("keep", "redis", cluster, "redis-02")
        return self.copies()[-1].id

    def copies(self) -> tuple[Kept, ...]:
        """Return what is listed, the oldest first."""
        return parse((self.root / "catalogue.json").read_text()).copies


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "volume" / "store")


def test_what_goes_in_comes_out_and_is_listed_by_itself(store: Store, tmp_path: Path) -> None:
    copy = store.keep()
    assert not store.staging.exists()
    [listed] = store.copies()
    assert (listed.service, listed.cluster, listed.source) == ("redis", "kb, redis", "redis-02")
    assert 0 < listed.began <= listed.ended
    target = tmp_path / "out" / "redis"
    for _ in range(2):
        store.good("fetch", copy, "redis", str(target))
        assert (target / "redis.rdb").read_text() == "three keys"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["redis"]


def test_what_lies_in_the_repository_is_encrypted_and_needs_its_key(
    store: Store, tmp_path: Path
) -> None:
    copy = store.keep("a needle that is in no file")
    texts = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert not [text for text in texts if b"needle" in text or KEY.encode() in text]
    done = store("fetch", copy, "redis", str(tmp_path / "out"), key="another key")
    assert done.returncode == 1, "a wrong key says nothing of the backup"
    assert "wrong password" in done.stderr


@pytest.mark.parametrize("name", ["other.rdb", "kbz.manifest.json"])
def test_a_link_that_a_source_has_sent_is_not_followed(
    store: Store, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of another")
    store.filled()
    (store.staging / name).symlink_to(elsewhere)
    done = store("keep", "redis", "kb", "redis-02")
    assert done.returncode == 1
    assert f"{name} is no plain file; nothing was put in" in done.stderr
    assert elsewhere.read_text() == "of another"


def test_what_restic_could_not_read_as_a_whole_is_no_backup(store: Store, tmp_path: Path) -> None:
    """It ends with 3, and has a snapshot of the rest, which the next list would have shown as whole."""
    wrapper = tmp_path / "programs" / "restic"
    wrapper.parent.mkdir()
    real = shutil.which("restic")
    wrapper.write_text(f'#!/bin/sh\n{real} "$@" || exit\n[ "$5" != backup ] || exit 3\n')
    wrapper.chmod(0o755)
    store.filled()
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    assert store("keep", "redis", "kb", "redis-02", path=path).returncode == 1
    store.good("list")
    assert store.copies() == ()


def test_without_room_for_another_copy_nothing_begins(store: Store, tmp_path: Path) -> None:
    """The volume is that of WAL, too."""
    copy = store.keep()
    listed = store.root / "catalogue.json"
    written = json.loads(listed.read_text())
    written["copies"][-1]["size"] = 1 << 60
    listed.write_text(json.dumps(written))
    target = tmp_path / "out" / "redis"
    for words in (("begin", "redis"), ("fetch", copy, "redis", str(target))):
        done = store(*words)
        assert done.returncode == 1, "it says nothing of the backup"
        assert re.search(r"\d+ MiB are free and \d+ MiB are needed", done.stderr)
    assert not store.staging.exists()
    assert not target.exists()
    store.good("begin", "rabbitmq")  # the size of another service's copy is not its own


def test_what_was_cut_off_goes_whatever_service_comes_next(store: Store) -> None:
    store.filled()
    left = store.root / "verify" / "redis"
    left.mkdir(parents=True)
    (left / "redis.rdb").write_text("in clear")
    store.good("begin", "rabbitmq")
    assert not store.staging.exists()
    assert not left.exists()
    assert [path.name for path in (store.root / "staging").iterdir() if path.is_dir()] == [
        "rabbitmq"
    ]


def test_a_second_repository_is_never_made_over_the_first(store: Store) -> None:
    store.keep()
    (store.root / "repository" / "config").unlink()
    done = store("begin", "redis")
    assert done.returncode == 1
    assert "holds data and no config" in done.stderr


_LONG = pytest.mark.long  # restic tries again for most of a minute


@pytest.mark.parametrize(
    "harm",
    ["changed", pytest.param("cut", marks=_LONG), pytest.param("gone", marks=_LONG)],
)
def test_damage_on_the_disk_is_found(store: Store, tmp_path: Path, harm: str) -> None:
    copy = store.keep("x" * 100_000)
    for pack in (store.root / "repository" / "data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            content = pack.read_bytes()
            changed = content[:50] + bytes([content[50] ^ 1]) + content[51:]
            pack.write_bytes(changed if harm == "changed" else content[: len(content) // 2])
            if harm == "gone":
                pack.unlink()
    done = store("fetch", copy, "redis", str(tmp_path / "out" / "redis"))
    assert done.returncode == 65, done.stderr
    assert "damaged" in done.stderr
    assert not (tmp_path / "out" / "redis").exists()


def test_a_backup_of_another_service_or_of_none_is_damage(store: Store, tmp_path: Path) -> None:
    copy = store.keep()
    for wanted, service in ((copy, "rabbitmq"), ("0123456789abcdef", "redis")):
        assert store("fetch", wanted, service, str(tmp_path / "out")).returncode == 65


def test_what_was_noted_stays_when_the_list_is_made_again(store: Store) -> None:
    copy = store.keep()
    store.good("note", copy, "")
    verified = store.copies()[0].verified
    assert verified
    store.good("note", copy, "damaged: its checksum differs")
    store.keep("more")
    store.good("restored", "redis")
    first, second = store.copies()
    assert (first.verified, first.wrong) == (verified, "damaged: its checksum differs")
    assert (second.verified, second.wrong) == (0.0, "")
    assert set(parse((store.root / "catalogue.json").read_text()).restored) == {"redis"}


def test_retention_keeps_the_newest_of_each_service(store: Store) -> None:
    kept = [store.keep(f"backup {number}") for number in range(3)]
    store.good("forget", "redis", "2", "1", "1", "1")
    assert [copy.id for copy in store.copies()] == kept[1:]
    store.good("forget", "rabbitmq", "1", "1", "1", "1")
    assert len(store.copies()) == 2


def test_nothing_is_put_in_where_nothing_was_taken(store: Store) -> None:
    store.good("begin", "redis")
    done = store("keep", "redis", "kb", "redis-02")
    assert (done.returncode, done.stderr) == (1, "nothing was taken\n")


_KILLS = [(call, when) for call in range(1, 7) for when in ("before", "after")]


@pytest.mark.parametrize(
    ("call", "when"),
    [
        pytest.param(*kill, marks=() if kill == (3, "after") else pytest.mark.long)
        for kill in _KILLS
    ],
)
def test_killed_at_any_call_of_restic_the_same_way_ends_it(
    store: Store, tmp_path: Path, call: int, when: str
) -> None:
    """init, unlock, backup, snapshots, forget, snapshots: the program and restic are killed around one of them."""
    programs = tmp_path / "programs"
    programs.mkdir()
    wrapper, count = programs / "restic", tmp_path / "count"
    real = shutil.which("restic")
    kill = f'[ "$(wc -l <{count})" != {call} ] || {{ kill -9 $PPID; exit 137; }}'
    order = (kill, f'{real} "$@"') if when == "before" else (f'{real} "$@"', kill)
    wrapper.write_text(f"#!/bin/sh\necho x >>{count}\n{order[0]}\n{order[1]}\n")
    wrapper.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    steps = (("begin", "redis"), ("keep", "redis", "kb", "redis-02"), ("forget", "redis", *"2111"))
    killed = False
    for step in steps:
        if step[0] == "keep":
            (store.staging / "redis.rdb").write_text("three keys")
        killed = store(*step, path=path).returncode == -9
        if killed:
            break
    assert killed
    copy = store.keep()
    store.good("forget", "redis", *"2111")
    store.good("fetch", copy, "redis", str(tmp_path / "out" / "redis"))
    assert (tmp_path / "out" / "redis" / "redis.rdb").read_text() == "three keys"
    assert [kept.id for kept in store.copies()][-1] == copy


@pytest.mark.parametrize("text", [b"{", b"", b"\xff\0", b"[]", b'{"copies": [{}], "since": 0}'])
def test_a_backup_makes_a_damaged_list_again(store: Store, text: bytes) -> None:
    first = store.keep()
    listed = store.root / "catalogue.json"
    listed.write_bytes(text)
    assert store("note", first, "").returncode == 1, "what knows no backup writes no list"
    second = store.keep("more")
    assert [copy.id for copy in store.copies()] == [first, second]
    assert listed.with_suffix(".broken").read_bytes() == text


def test_the_lock_of_a_killed_forget_stops_no_restore(store: Store, tmp_path: Path) -> None:
    copy = store.keep()
    locks = store.root / "repository" / "locks"
    command = ("restic", "--no-cache", "--repo", str(locks.parent), "prune")
    environment = {**os.environ, "RESTIC_PASSWORD": KEY}
    killed, deadline = False, time.monotonic() + 60
    while not killed:  # restic may end before it is seen
        assert time.monotonic() < deadline, "no prune was seen at work"
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as restic:
            while restic.poll() is None and not killed:
                if killed := any("-tmp-" not in path.name for path in locks.iterdir()):
                    restic.kill()
        killed = killed and any(locks.iterdir())
    target = tmp_path / "out" / "redis"
    plain = ("restic", "--no-cache", "--repo", str(locks.parent), "restore", copy)
    done = subprocess.run(
        (*plain, "--target", str(tmp_path / "plain")),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "already locked exclusively" in done.stderr
    store.good("fetch", copy, "redis", str(target))
    assert (target / "redis.rdb").read_text() == "three keys"


@pytest.mark.parametrize("missing", ["the repository", "the place to restore into"])
def test_a_missing_folder_is_no_damage(store: Store, tmp_path: Path, missing: str) -> None:
    copy = store.keep()
    target = tmp_path / "out" / "redis"
    if missing == "the repository":
        (store.root / "repository").rename(tmp_path / "away")
    else:
        (tmp_path / "out").symlink_to(tmp_path / "not mounted")
    assert store("fetch", copy, "redis", str(target)).returncode == 1


def test_nothing_is_removed_while_a_damaged_one_would_count_as_kept(store: Store) -> None:
    kept = [store.keep(f"backup {number}") for number in range(3)]
    store.good("note", kept[-1], "damaged: its checksum differs")
    store.good("forget", "redis", "1", "1", "1", "1")
    assert [copy.id for copy in store.copies()] == kept
    newest = store.keep("good again")
    store.good("forget", "redis", "1", "1", "1", "1")
    assert [copy.id for copy in store.copies()] == [newest]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ignoring error for /a: ReadFull(<data/b6bd2c593a>): open /r/data/b6: no such file", 65),
        ("ignoring error for /a: open /opt/verify/redis.partial/a: no such file", 1),
    ],
)
def test_a_file_that_the_repository_lacks_is_damage_and_another_is_none(
    store: Store, tmp_path: Path, said: str, code: int
) -> None:
    """The real program tries again for a minute: its words (0.14) are repeated here."""
    copy = store.keep()
    wrapper = tmp_path / "programs" / "restic"
    wrapper.parent.mkdir()
    words = f"{said} or directory\\nFatal: There were 1 errors\\n"
    wrapper.write_text(
        f"#!/bin/sh\ncase $* in *restore*) printf '{words}' >&2; exit 1;; esac\n"
        f'exec {shutil.which("restic")} "$@"\n'
    )
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    done = store("fetch", copy, "redis", str(tmp_path / "out"), path=path)
    assert done.returncode == code, done.stderr


def test_a_disk_that_is_not_mounted_gets_no_new_repository(store: Store, tmp_path: Path) -> None:
    copy = store.keep()
    volume = tmp_path / "volume"
    volume.rename(tmp_path / "elsewhere")
    volume.mkdir()
    done = store("begin", "redis")
    assert done.returncode == 1
    assert "is its disk mounted?" in done.stderr
    assert not store.root.exists(), "nothing is written where the disk should be"
    volume.rmdir()
    (tmp_path / "elsewhere").rename(volume)
    store.filled()
    assert [one.id for one in store.copies()] == [copy]
    (tmp_path / "volume.repository").unlink()
    volume.rename(tmp_path / "gone for good")
    store.keep()
    assert (tmp_path / "volume.repository").exists()


def test_the_list_is_made_again_by_itself(store: Store) -> None:
    copy = store.keep()
    (store.root / "catalogue.json").write_text("{")
    store.good("list")
    assert [one.id for one in store.copies()] == [copy]
