"""Receivers of site.yaml, told by the real code over real connections: mail, a webhook, Slack; and when they fail."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.notify import teller
from keybuzz.engine.notify.teller import unit_failed
from keybuzz.engine.notify.waiting import LARGEST
from keybuzz.site.parameters.receivers import TOPICS, MailServer, Receiver, Tls, Web
from keybuzz.site.site import Site
from tests.unit.engine.notify.receivers import Post, web_server
from tests.unit.support.site_values import memory_site

SCHEMA = Path(__file__).parents[4] / "docs" / "schema" / "notification.json"
GOOD = {"redis-01": {"outcome": "ok", "changed": 0, "what": None}}


def notify(here: Site, document: dict[str, Any], seconds: float = 30.0) -> tuple[str, ...]:
    return teller.notify(here, document, Cuts(), seconds)


def receiver(place: MailServer | Web, *about: str, good_looks: int = 3) -> Receiver:
    return Receiver("ops", place, frozenset(about or TOPICS), good_looks, "site.yaml:90")


def smtp(post: Post) -> MailServer:
    to = ("a@example.org", "b@example.org")
    return MailServer("127.0.0.1", post.port, Tls.NONE, "kbz@example.org", to)


def hook(post: Post, *, slack: bool = False) -> Web:
    return Web(f"http://127.0.0.1:{post.port}/in", "", slack)


def site(folder: Path, *receivers: Receiver) -> Site:
    folder.chmod(0o700)
    found = memory_site()
    settings = replace(found.settings, state=folder, credentials=folder, receivers=receivers)
    return replace(found, settings=settings)


def health(level: str = "ok", message: str = "it is down", **more: Any) -> dict[str, Any]:
    finding = {"check": "redis.up", "level": level, "host": "redis-01", "message": message}
    found = {"verb": "health", "run": 7, "exit_code": 0, "modules": ["redis"], "hosts": GOOD}
    return {**found, "findings": [finding], **more}


def run(**more: Any) -> dict[str, Any]:
    hosts = {"redis-01": {"outcome": "changed", "changed": 2, "what": None}}
    found = {"verb": "run", "run": 9, "exit_code": 0, "modules": ["redis"], "hosts": hosts}
    return {**found, "command": "kbz run redis", "error": None, "findings": [], **more}


def drift(*items: tuple[str, str]) -> dict[str, Any]:
    rows = [{"id": name, "standing": word, "what": "differs"} for name, word in items]
    found = {"verb": "drift", "run": 3, "exit_code": 2, "modules": ["redis"], "findings": []}
    return {**found, "hosts": GOOD, "drift": {"items": rows}}


class TestMail:
    def test_a_run_is_mailed_to_each_address(self, tmp_path: Path, mail: Post) -> None:
        assert notify(site(tmp_path, receiver(smtp(mail))), run()) == ()
        [found] = mail.mails
        assert found["Subject"].startswith("kbz run redis ended well (")
        assert (found["From"], found["To"]) == ("kbz@example.org", "a@example.org, b@example.org")
        assert [word.split(" ")[0] for word in mail.takers] == [
            "TO:<a@example.org>",
            "TO:<b@example.org>",
        ]
        assert found.get_content().splitlines() == ["kbz run redis", "kbz history 9"]

    def test_what_a_host_says_is_no_header(self, tmp_path: Path, mail: Post) -> None:
        said = run(exit_code=1, error="x\nBcc: evil@example.org\n\n.\nQUIT", modules=["a\nBcc: b"])
        assert notify(site(tmp_path, receiver(smtp(mail))), said) == ()
        [found] = mail.mails
        assert found["Bcc"] is None
        assert len(mail.takers) == 2

    def test_a_server_that_does_not_take_it_is_told_and_tried_again(
        self, tmp_path: Path, mail: Post
    ) -> None:
        here = site(tmp_path, receiver(smtp(mail)))
        mail.refuses = "451 later"
        [warning] = notify(here, run())
        assert "site.yaml:90: ops was not told: the mail server says 451" in warning
        assert "tried again with the next message" in warning
        mail.refuses = ""
        assert notify(here, run(verb="restart", command="kbz restart redis")) == ()
        assert [found["Subject"].split(" (")[0] for found in mail.mails] == [
            "kbz run redis ended well",
            "kbz restart redis ended well",
        ]
        assert notify(here, run()) == ()
        assert len(mail.mails) == 3, "what was taken does not come again"

    def test_a_login_with_the_password_of_a_private_file(self, tmp_path: Path, mail: Post) -> None:
        (tmp_path / "smtp.password").write_text("correct horse\n")
        (tmp_path / "smtp.password").chmod(0o600)
        place = replace(smtp(mail), user="kbz", password_file="smtp.password")
        here = site(tmp_path, receiver(place))
        words = base64.b64encode(b"\0kbz\0correct horse").decode()
        mail.login = "PLAIN of another"
        [warning] = notify(here, run())
        assert "the mail server says 535" in warning
        assert words not in warning, "what the server says of a login is not told"
        mail.login = f"PLAIN {words}"
        assert notify(here, run()) == ()
        assert len(mail.mails) == 2

    def test_no_mail_goes_in_clear_where_the_server_has_no_starttls(
        self, tmp_path: Path, mail: Post
    ) -> None:
        place = replace(smtp(mail), tls=Tls.STARTTLS)
        [warning] = notify(site(tmp_path, receiver(place)), run())
        assert "STARTTLS" in warning
        assert mail.takers == []


class TestWeb:
    def test_a_webhook_gets_a_document(self, tmp_path: Path, web: Post) -> None:
        said = run(exit_code=4, error="redis-02: no route")
        assert notify(site(tmp_path, receiver(hook(web))), said) == ()
        [(path, found)] = web.posted
        assert path == "/in"
        Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)
        assert (found["topic"], found["run"], found["exit_code"]) == ("runs", 9, 4)
        assert found["lines"] == ["kbz run redis", "redis-02: no route"]

    def test_slack_gets_one_text_in_which_no_word_is_markup(
        self, tmp_path: Path, web: Post
    ) -> None:
        said = run(exit_code=1, error="<!channel> & more")
        notify(site(tmp_path, receiver(hook(web, slack=True))), said)
        [(_, found)] = web.posted
        assert set(found) == {"text"}
        assert "&lt;!channel&gt; &amp; more" in found["text"]

    def test_an_address_that_is_a_secret_comes_from_a_private_file(
        self, tmp_path: Path, web: Post
    ) -> None:
        key = "T0KEN-of-the-hook"
        place = tmp_path / "slack.url"
        place.write_text(f"http://127.0.0.1:{web.port}/{key}\n")
        here = site(tmp_path, receiver(Web("", "slack.url", slack=True)))
        place.chmod(0o644)
        [warning] = notify(here, run())
        assert "slack.url" in warning
        place.chmod(0o600)
        web.status = 500
        [warning] = notify(here, run())
        assert "it answers 500" in warning
        kept = "".join(p.read_text() for p in (tmp_path / "notify").iterdir())
        assert key not in warning + kept
        assert web.posted[0][0] == f"/{key}"

    def test_it_follows_no_redirect(self, tmp_path: Path, web: Post) -> None:
        web.status = 307
        [warning] = notify(site(tmp_path, receiver(hook(web))), run())
        assert "it answers 307" in warning
        assert [path for path, _ in web.posted] == ["/in"]

    def test_none_that_listens_fails_nothing(self, tmp_path: Path) -> None:
        with web_server() as gone:
            pass
        [warning] = notify(site(tmp_path, receiver(hook(gone))), run())
        assert "Connection refused" in warning

    def test_one_that_fails_keeps_no_other_from_being_told(
        self, tmp_path: Path, mail: Post
    ) -> None:
        with web_server() as gone:
            pass
        other = replace(receiver(smtp(mail)), name="other")
        assert len(notify(site(tmp_path, receiver(hook(gone)), other), run())) == 1
        assert len(mail.mails) == 1

    def test_a_secret_of_the_store_is_masked(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web)))
        name, secret = next((n, s) for n, s in here.credentials.items() if "PASSWORD" in n)
        notify(here, run(exit_code=1, error=f"login failed with {secret.reveal()} for {name}"))
        [(_, found)] = web.posted
        assert secret.reveal() not in str(found)
        assert "login failed with" in str(found)


class TestTopics:
    def test_only_what_it_asks_for(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web), "backups"))
        for said in (run(), health("critical"), drift(("drift/a/b", "new"))):
            assert notify(here, said) == ()
        notify(here, run(verb="backup run", exit_code=1, error="no space"))
        assert [found["topic"] for _, found in web.posted] == ["backups"]

    def test_a_run_that_found_nothing_to_do_is_no_news(self, tmp_path: Path, web: Post) -> None:
        notify(site(tmp_path, receiver(hook(web))), run(hosts=GOOD))
        assert web.posted == []

    def test_of_drift_only_what_is_new(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web)))
        notify(here, drift(("drift/redis-01/file:/a", "new"), ("stray/redis-01/b", "still")))
        notify(here, drift(("drift/redis-01/file:/a", "still"), ("stray/redis-01/b", "gone")))
        [(_, found)] = web.posted
        assert found["lines"] == ["new drift/redis-01/file:/a: differs"]

    def test_a_unit_that_failed_is_told_once_however_it_failed(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        notify(here, {"verb": "drift", "run": 4, "exit_code": 1, "error": "no journal"})
        assert unit_failed(here, "kbz-drift.service") == ()
        notify(here, drift())
        unit_failed(here, "kbz-drift.service")
        assert [found["lines"] for _, found in web.posted] == [
            ["no journal"],
            ["kbz-drift.service failed; systemctl status kbz-drift.service says why"],
        ]

    def test_a_look_that_fails_again_after_new_drift_is_told_again(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        failed = {"verb": "drift", "run": 4, "exit_code": 1, "error": "no journal"}
        for document in (failed, drift(("drift/a/b", "new")), failed):
            notify(here, document)
        new = ["new drift/a/b: differs"]
        assert [found["lines"] for _, found in web.posted] == [["no journal"], new, ["no journal"]]

    def test_a_drill_that_ended_well_is_news(self, tmp_path: Path, web: Post) -> None:
        hosts = {"redis-01": {"outcome": "ok", "what": "container-killed: passed"}}
        notify(site(tmp_path, receiver(hook(web))), run(verb="drill", hosts=hosts))
        [(_, found)] = web.posted
        assert found["subject"].startswith("kbz drill redis ended well")


class TestHealth:
    def told(self, web: Post) -> list[str]:
        return [line for _, found in web.posted for line in found["lines"]]

    def test_a_flapping_check_sends_one_message(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web)))
        for turn in range(20):
            notify(here, health("critical" if turn % 2 else "ok", f"attempt {turn}"))
        assert self.told(web) == ["ok → critical redis.up redis-01: attempt 1"]

    def test_it_is_good_again_after_looks_in_a_row(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web), good_looks=2))
        for level in ("critical", "critical", "ok", "critical", "ok", "ok", "ok"):
            notify(here, health(level))
        assert self.told(web) == [
            "ok → critical redis.up redis-01: it is down",
            "critical → ok redis.up redis-01",
        ]

    def test_worse_is_told_at_once_and_a_little_better_is_not(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        for level in ("warn", "critical", "warn", "critical", "warn"):
            notify(here, health(level))
        assert [line.split(" redis")[0] for line in self.told(web)] == [
            "ok → warn",
            "warn → critical",
        ]

    def test_a_look_at_others_or_at_a_silent_host_ends_no_fault(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web), good_looks=1))
        notify(here, health("critical"))
        notify(here, health(findings=[], modules=["minio"]))
        notify(here, health(findings=[], hosts={}))
        silent = {"redis-01": {"outcome": "unreachable", "changed": 0, "what": "no route"}}
        notify(here, health(findings=[], hosts=silent))
        assert [line.split(":")[0] for line in self.told(web)] == [
            "ok → critical redis.up redis-01",
            "ok → unknown host.answers redis-01",
        ]
        notify(here, health(findings=[]))
        assert self.told(web)[2:] == [
            "unknown → ok host.answers redis-01",
            "critical → ok redis.up redis-01",
        ]

    def test_a_look_that_cannot_be_made_is_told_once(self, tmp_path: Path, web: Post) -> None:
        here = site(tmp_path, receiver(hook(web), good_looks=1))
        failed = {"verb": "health", "run": 0, "exit_code": 1, "error": "the journal is full"}
        for _ in range(3):
            notify(here, failed)
        notify(here, health())
        assert self.told(web) == [
            "ok → unknown kbz.look: the journal is full",
            "unknown → ok kbz.look",
        ]

    def test_a_message_that_was_not_taken_comes_with_the_next_look(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        web.status = 503
        assert len(notify(here, health("critical"))) == 1
        web.status = 200
        assert notify(here, health("critical")) == ()
        assert self.told(web)[0] == self.told(web)[1], "once refused, once taken"
        assert len(web.posted) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"health": 1, "waiting": []}', "null"])
def test_a_broken_memory_is_put_aside(tmp_path: Path, web: Post, text: str) -> None:
    here = site(tmp_path, receiver(hook(web)))
    notify(here, health("critical"))
    memory = tmp_path / "notify" / "ops.json"
    memory.write_text(text)
    [warning] = notify(here, health("critical"))
    assert f"{memory} is damaged or too large; it is ops.broken now" in warning
    assert (tmp_path / "notify" / "ops.broken").read_text() == text
    assert notify(here, health("critical")) == ()
    assert len(web.posted) == 2


def test_a_memory_that_is_too_large_is_put_aside(tmp_path: Path, web: Post) -> None:
    here = site(tmp_path, receiver(hook(web)))
    notify(here, run())
    os.truncate(tmp_path / "notify" / "ops.json", LARGEST + 1)  # it takes no room
    [warning] = notify(here, health("critical"))
    assert "it is ops.broken now" in warning
    assert len(web.posted) == 2


def test_the_most_messages_of_the_most_lines_fit_into_the_memory(tmp_path: Path, web: Post) -> None:
    here = site(tmp_path, receiver(hook(web)))
    web.status = 503
    widest = "\N{PILE OF POO}" * 1000
    notify(here, run(exit_code=1, error="x", hosts=failing(widest, 60)))
    memory = tmp_path / "notify" / "ops.json"
    document = json.loads(memory.read_text())
    [one] = document["waiting"]
    assert len(one["lines"]) == 50
    assert one["lines"][-1] == "… and 13 more"
    document["waiting"] = [one] * teller.MOST_WAITING
    memory.write_text(json.dumps(document, ensure_ascii=False))
    [warning] = notify(here, run())
    assert "it answers 503" in warning
    assert len(json.loads(memory.read_text())["waiting"]) == teller.MOST_WAITING
    assert memory.stat().st_size < LARGEST // 2


def failing(what: str, number: int) -> dict[str, Any]:
    return {f"h-{n}": {"outcome": "failed", "changed": 0, "what": what} for n in range(number)}
