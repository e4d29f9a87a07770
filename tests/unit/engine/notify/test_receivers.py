"""Receivers that refuse for good, are slow, or whose secret address is none: what is told, kept and dropped."""

from __future__ import annotations

import fcntl
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.notify import teller
from keybuzz.engine.notify.senders import Sender
from keybuzz.engine.notify.teller import try_out
from keybuzz.model.core.errors import ContactError
from keybuzz.site.parameters.receivers import Web
from tests.support.signals import to_main
from tests.unit.engine.notify.receivers import Post, Slow, slow_server
from tests.unit.engine.notify.test_notify import hook, notify, receiver, run, site, smtp

SECRET = "T0KEN-of-the-hook"
LONG = 60.0
"""Seconds that no test here takes."""


@pytest.fixture
def slow() -> Iterator[Slow]:
    with slow_server() as found:
        yield found


def dripping(slow: Slow) -> Web:
    return Web(f"http://127.0.0.1:{slow.port}/", "", slack=False)


class TestSecretAddress:
    @pytest.mark.parametrize(
        "text",
        [
            f"http://127.0.0.1:9/{SECRET} # ops",
            f"http://127.0.0.1:9/{SECRET}\nhttp://127.0.0.1:9/other",
            f"http://127.0.0.1:9/{SECRET}\x7f",
            f"http://127.0.0.1:9/{SECRET}\N{EURO SIGN}",
            f"http://[{SECRET}/",
            f"{SECRET}",
        ],
    )
    def test_one_that_is_none_is_refused_without_its_text(self, tmp_path: Path, text: str) -> None:
        place = tmp_path / "slack.url"
        place.write_text(f"{text}\n")
        place.chmod(0o600)
        one = receiver(Web("", "slack.url", slack=True))
        here = site(tmp_path, one)
        [warning] = notify(here, run())
        assert f"site.yaml:90: ops was not told: {place}: the address in it " in warning
        with pytest.raises(ContactError) as caught:
            try_out(here, one)
        kept = "".join(path.read_text() for path in (tmp_path / "notify").iterdir())
        assert SECRET not in warning + str(caught.value) + kept

    def test_of_any_other_error_only_the_type_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> str:
            raise RuntimeError(f"no way to /{SECRET}")

        monkeypatch.setattr(Sender, "_post", fail)
        one = receiver(Web("http://127.0.0.1:9/", "", slack=True))
        [warning] = notify(site(tmp_path, one), run())
        assert "ops was not told: RuntimeError; it is tried again" in warning
        with pytest.raises(ContactError, match=r"ops was not told: RuntimeError$"):
            try_out(site(tmp_path, one), one)

    def test_an_answer_that_is_none_is_told_by_its_type(self, tmp_path: Path, mail: Post) -> None:
        [warning] = notify(site(tmp_path, receiver(hook(mail))), run())
        assert "ops was not told: BadStatusLine" in warning

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        [warning] = notify(site(tmp_path, receiver(Web("", "slack.url", slack=True))), run())
        assert f"{tmp_path / 'slack.url'}: there is no such file" in warning


class TestForGood:
    def test_a_webhook_that_refuses_one_message_gets_the_next(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        web.status = 413
        [warning] = notify(here, run())
        assert "it answers 413; the message is dropped" in warning
        web.status = 200
        assert notify(here, run(verb="restart")) == ()
        assert [found["subject"].split(" (")[0] for _, found in web.posted[1:]] == [
            "kbz restart redis ended well"
        ]

    @pytest.mark.parametrize("status", [401, 403, 404, 407, 408, 410, 429, 500])
    def test_what_may_be_taken_later_waits(self, tmp_path: Path, web: Post, status: int) -> None:
        here = site(tmp_path, receiver(hook(web)))
        web.status = status
        [warning] = notify(here, run())
        assert f"it answers {status}; it is tried again with the next message" in warning
        web.status = 200
        assert notify(here, run()) == ()
        assert len(web.posted) == 3

    def test_a_mail_that_is_too_large_is_dropped(self, tmp_path: Path, mail: Post) -> None:
        here = site(tmp_path, receiver(smtp(mail)))
        mail.refuses = "552 too much"
        [warning] = notify(here, run())
        assert "the mail server says 552; the message is dropped" in warning
        mail.refuses = ""
        assert notify(here, run()) == ()
        assert len(mail.mails) == 1

    def test_who_of_several_gets_no_mail_is_told(self, tmp_path: Path, mail: Post) -> None:
        one = receiver(smtp(mail))
        here = site(tmp_path, one)
        mail.no_mail_for = "b@example.org"
        [warning] = notify(here, run())
        assert (
            warning == "notify: site.yaml:90: ops: the mail server takes no mail for b@example.org"
        )
        assert len(mail.mails) == 1
        with pytest.raises(ContactError, match=r"takes no mail for b@example\.org"):
            try_out(here, one)
        mail.no_mail_for = "@example.org"
        [warning] = notify(here, run())
        assert "for a@example.org, b@example.org; the message is dropped" in warning


class TestTime:
    def test_a_slow_one_ends_at_the_deadline_and_holds_up_no_other(
        self, tmp_path: Path, slow: Slow, web: Post
    ) -> None:
        other = replace(receiver(hook(web)), name="other")
        here = site(tmp_path, receiver(dripping(slow)), other)
        started = time.monotonic()
        [warning] = notify(here, run(), seconds=2.0)
        assert time.monotonic() - started < LONG
        assert "site.yaml:90: ops was not told: it did not take it within 2 s" in warning
        assert len(web.posted) == 1
        slow.over.set()
        assert notify(site(tmp_path, replace(other, name="ops")), run()) == ()
        assert len(web.posted) == 3, "what waited comes first"

    def test_a_signal_ends_the_waiting(self, tmp_path: Path, slow: Slow) -> None:
        cuts = Cuts()

        def interrupt() -> None:
            slow.asked.wait(LONG)
            to_main(signal.SIGINT)

        other = threading.Thread(target=interrupt)
        started = time.monotonic()
        with cuts.during():
            other.start()
            found = teller.notify(site(tmp_path, receiver(dripping(slow))), run(), cuts, LONG)
        other.join()
        assert time.monotonic() - started < LONG
        [warning] = found
        assert "ops was not told: a signal cut it off" in warning

    def test_while_another_sends_a_message_is_added_to_what_waits(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        notify(here, run())
        with (tmp_path / "notify" / "ops.sending").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            [warning] = notify(here, run(), seconds=2.0)
        assert "it is tried again with the next message" in warning
        assert len(web.posted) == 1
        assert notify(here, run()) == ()
        assert len(web.posted) == 3

    def test_a_lock_that_another_holds_is_not_waited_for_without_end(
        self, tmp_path: Path, web: Post
    ) -> None:
        here = site(tmp_path, receiver(hook(web)))
        notify(here, run())
        started = time.monotonic()
        with (tmp_path / "notify" / "ops.lock").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            [warning] = notify(here, run(), seconds=0.1)
            assert len(web.posted) == 1
        assert time.monotonic() - started < LONG
        assert "tried again" not in warning, "it could not be written down"
