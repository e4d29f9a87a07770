"""Which member is the source, and what the programs of backup-01 make of what it gave."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from keybuzz.site.parameters.receivers import MailServer, Receiver, Tls, Web
from keybuzz.site.site import Settings
from tasks.backup.on_host import definitions, own_state
from tasks.backup.store import rabbitmq
from tasks.backup.store.own_state import OWN_STATE, gather
from tests.unit.support.site_values import memory_site

SITE = memory_site()
DEFINITIONS = {
    "users": [{"name": "kb_rmq", "password_hash": "x", "tags": ["administrator"]}],
    "vhosts": [{"name": "/"}],
    "permissions": [
        {"user": "kb_rmq", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    ],
    "policies": [],
    "queues": [{"name": "orders", "vhost": "/", "durable": True, "arguments": {}}],
    "exchanges": [],
    "bindings": [],
}


def members(**clusters: str) -> dict[str, Answer]:
    """Return what each member says of its cluster; an empty text is a refused login."""
    found: dict[str, Answer] = {}
    for server in SITE.members("rabbitmq"):
        name = f"backup.rabbitmq.{server.name}"
        said = clusters.get(server.name.replace("-", "_"))
        value = {"accepted": bool(said), "reason": "ACCESS_REFUSED", "cluster": said or ""}
        found[name] = Answer(name, problem="no route") if said is None else Answer(name, value)
    return found


def test_a_member_that_lets_kbz_in_is_the_source_of_definitions() -> None:
    found = rabbitmq.choose(SITE, members(queue_02="keybuzz-queue", queue_03="keybuzz-queue"))
    assert (found.host, found.cluster) == ("queue-02", "keybuzz-queue")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (members(), "queue-01: no route"),
        (members(queue_01=""), "queue-01: ACCESS_REFUSED"),
        (members(queue_01="keybuzz-queue", queue_02="another"), "no member of RabbitMQ"),
    ],
)
def test_members_that_are_not_one_cluster_are_no_source(
    answers: dict[str, Answer], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        rabbitmq.choose(SITE, answers)
    assert rabbitmq.cluster(SITE, answers) == ""


def test_definitions_are_counted_and_what_changed_is_damage(tmp_path: Path) -> None:
    file = tmp_path / definitions.FILE
    file.write_text(json.dumps(DEFINITIONS))
    for _ in range(2):
        assert definitions.main("", ["prove", str(tmp_path)]) == 0
    file.write_text(json.dumps({**DEFINITIONS, "queues": []}))
    assert definitions.main("", ["prove", str(tmp_path)]) == 65
    for text in ("", "{}", "[]", json.dumps({**DEFINITIONS, "users": []})):
        file.write_text(text)
        assert definitions.main("", ["prove", str(tmp_path)]) == 65, text


def test_a_broker_that_lacks_a_queue_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / definitions.FILE).write_text(json.dumps(DEFINITIONS))
    more = {**DEFINITIONS, "vhosts": [{"name": "/"}, {"name": "more"}]}
    (tmp_path / definitions.EXPORTED).write_text(json.dumps(more))
    assert definitions.main("", ["same", str(tmp_path)]) == 0
    (tmp_path / definitions.EXPORTED).write_text(json.dumps({**more, "queues": []}))
    assert definitions.main("", ["same", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "the broker lacks 1 queues\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A controller with a state, a store and pinned keys."""
    state, store = tmp_path / "state", tmp_path / "credentials"
    for folder in (state / "images", state / "leases", state / "first-installs", store):
        folder.mkdir(parents=True)
    (state / "digest.key").write_bytes(b"k" * 32)
    (state / "images" / "large.tar").write_bytes(b"x")
    (state / "leases" / "redis").write_text("held")
    (state / "first-installs" / "redis").write_text("done")
    (state / "journal.sqlite-wal").write_bytes(b"x")
    with closing(sqlite3.connect(state / "journal.sqlite")) as journal:
        journal.execute("create table runs (number integer)")
        journal.execute("insert into runs values (1)")
        journal.commit()
    (store / "redis.env").write_text("REDIS_PASSWORD=secret\n")
    (store / "backup.env").write_text("BACKUP_KEY=secret\n")
    (tmp_path / "known_hosts").write_text("10.0.0.1 ssh-ed25519 AAAA\n")
    return replace(
        SITE.settings, state=state, credentials=store, known_hosts=tmp_path / "known_hosts"
    )


def laid_out(settings: Settings, folder: Path) -> Path:
    held = b"".join(gather(settings))
    with tarfile.open(fileobj=io.BytesIO(held)) as tar:
        assert {entry.mode for entry in tar.getmembers()} == {0o600}
        tar.extractall(folder, filter="data")
    return folder


def test_the_state_is_gathered_without_what_is_made_again(
    settings: Settings, tmp_path: Path
) -> None:
    out = laid_out(settings, tmp_path / "out")
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == {
        *("credentials/redis.env", "known_hosts", "state/digest.key"),
        *("state/first-installs/redis", "state/journal.sqlite"),
    }
    for _ in range(2):
        assert own_state.main("", [str(out)]) == 0
    assert json.loads((out / "kbz.counts.json").read_text()) == {"credentials": 1, "runs": 1}


def test_so_are_the_files_that_receivers_name_and_never_the_key_of_the_backups(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("slack.url", "smtp.password", "other"):
        (settings.credentials / name).write_text("secret\n")
    mail = MailServer("m", 25, Tls.FULL, "a@b", ("c@d",), "u", "smtp.password")
    places = (mail, Web("", "slack.url", True), Web("", "backup.env", True), Web("", "gone", True))
    receivers = tuple(Receiver("ops", place, frozenset(), 3, "x:1") for place in places)
    out = laid_out(replace(settings, receivers=receivers), tmp_path / "out")
    found = {path.name for path in (out / "credentials").iterdir()}
    assert found == {"redis.env", "slack.url", "smtp.password"}


def test_a_large_file_goes_piece_by_piece(settings: Settings) -> None:
    large = settings.state / "drift" / "large.json"
    large.parent.mkdir()
    large.touch()
    os.truncate(large, (300 << 20) + 1)  # it takes no room
    sizes = [len(piece) for piece in gather(settings)]
    assert sum(sizes) > 300 << 20
    assert sum(sizes) % 512 == 0
    assert max(sizes) <= 1 << 20


def test_a_file_that_shrinks_while_it_is_read_ends_the_backup(settings: Settings) -> None:
    file = settings.state / "drift" / "shrinks.json"
    file.parent.mkdir()
    file.write_bytes(bytes(2 << 20))

    def read() -> None:
        for piece in gather(settings):
            if len(piece) == 1 << 20:
                os.truncate(file, 1 << 20)

    with pytest.raises(RefusedError, match="shorter while it was read"):
        read()


@pytest.mark.parametrize("harm", ["no key", "no journal", "a journal that is none", "a file less"])
def test_a_state_that_is_not_whole_is_damage(settings: Settings, tmp_path: Path, harm: str) -> None:
    out = laid_out(settings, tmp_path / "out")
    assert own_state.main("", [str(out)]) == 0
    if harm == "no key":
        (out / "state" / "digest.key").unlink()
    elif harm == "a file less":
        (out / "credentials" / "redis.env").unlink()
    else:
        (out / "state" / "journal.sqlite").unlink()
    if harm == "a journal that is none":
        (out / "state" / "journal.sqlite").write_bytes(b"no database" * 500)
    assert own_state.main("", [str(out)]) == 65


def test_the_controller_is_the_source_and_its_digest_key_names_it(settings: Settings) -> None:
    site = replace(SITE, settings=settings)
    found = OWN_STATE.choose(site, {})
    assert found.host == "install-01"
    assert found.cluster == OWN_STATE.cluster(site, {})
    (settings.state / "journal.sqlite").unlink()
    with pytest.raises(RefusedError, match="no journal yet"):
        OWN_STATE.choose(site, {})
