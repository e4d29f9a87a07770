"""`notify` in site.yaml: typed, and what is wrong is told with its line and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.site.parameters.receivers import TOPICS, MailServer, Receiver, Tls, Web
from keybuzz.site.settings import load_settings
from tests.unit.site.test_settings import LAB, PATHS, written

LINE = PATHS.count("\n") + 3
"""The first line of the receiver's own fields."""


def receivers(folder: Path, *fields: str, over: str | None = None) -> tuple[Receiver, ...]:
    text = "\n".join(("notify:", "  ops:", *(f"    {field}" for field in fields), ""))
    overlay = None if over is None else written(folder, over, "overlay.yaml")
    return load_settings(folder, written(folder, PATHS + text), overlay).receivers


def test_mail_with_all_that_it_can_have(tmp_path: Path) -> None:
    [found] = receivers(
        tmp_path,
        "kind: mail",
        "server: mail-01:465",
        "tls: tls",
        "from: kbz@example.org",
        "to: a@example.org, b@example.org",
        "user: kbz",
        "password_file: smtp.password",
        "about: health backups",
        "good_looks: 5",
    )
    to = ("a@example.org", "b@example.org")
    place = MailServer("mail-01", 465, Tls.FULL, "kbz@example.org", to, "kbz", "smtp.password")
    where = f"{tmp_path / 'site.yaml'}:{LINE - 1}"
    assert found == Receiver("ops", place, frozenset({"health", "backups"}), 5, where)


def test_a_webhook_with_the_least(tmp_path: Path) -> None:
    [found] = receivers(tmp_path, "kind: webhook", "url: https://hooks.example.org/in")
    assert found.place == Web("https://hooks.example.org/in", "", slack=False)
    assert (found.about, found.good_looks) == (frozenset(TOPICS), 3)


def test_without_the_section_nothing_is_told(tmp_path: Path) -> None:
    assert load_settings(tmp_path, written(tmp_path, PATHS), None).receivers == ()


def test_an_overlay_replaces_a_receiver_of_the_same_name(tmp_path: Path) -> None:
    over = "notify:\n  ops: {kind: slack, url_file: slack.url}\n"
    [found] = receivers(tmp_path, "kind: webhook", "url: https://a.example.org/", over=over)
    assert found.place == Web("", "slack.url", slack=True)


def test_a_lab_has_only_receivers_of_its_own(tmp_path: Path) -> None:
    plain = ("kind: webhook", "url: https://a.example.org/")
    assert receivers(tmp_path, *plain, over=LAB) == ()
    over = f"{LAB}notify:\n  lab: {{kind: webhook, url: 'http://10.0.0.9/'}}\n"
    assert [found.name for found in receivers(tmp_path, *plain, over=over)] == ["lab"]


MAIL = ("kind: mail", "server: m:25", "from: a@b", "to: c@d")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            ("kind: pager",),
            f"{LINE}: notify.ops.kind is 'pager' → use one of: mail, slack, webhook",
        ),
        (("url: https://a/",), f"{LINE - 1}: notify.ops.kind is missing"),
        (("kind: mail", "server: m:25", "from: a@b"), "notify.ops has no to"),
        (("kind: webhook", "url: https://a/", "to: a@b"), f"{LINE + 2}: "),
        (("kind: webhook", "url: ftp://a/"), f"{LINE + 1}: notify.ops.url is no http or https"),
        (("kind: webhook", "url: https://u:p@a/"), "notify.ops.url holds a password"),
        (("kind: webhook", "url: 'https://[a/'"), "notify.ops.url is no address"),
        (
            ("kind: webhook", "url: https://a/x y"),
            f"{LINE + 1}: notify.ops.url holds white space or another character",
        ),
        (("kind: slack",), "notify.ops needs either url or url_file"),
        (("kind: slack", "url_file: ../x"), "notify.ops.url_file is '../x'"),
        (("kind: webhook", "url: https://a/", "about: moon"), "notify.ops.about has 'moon'"),
        (("kind: webhook", "url: https://a/", "good_looks: 0"), "notify.ops.good_looks"),
        ((*MAIL, "tls: some"), "notify.ops.tls is 'some' → none, starttls, tls"),
        ((*MAIL, "user: kbz"), "notify.ops.user and password_file belong together"),
        (
            (*MAIL, "tls: none", "user: u", "password_file: p"),
            "a password would go over the network",
        ),
        (("kind: mail", "server: m", "from: a@b", "to: c@d"), "notify.ops.server is no host:port"),
        (("kind: mail", "server: m:99999", "from: a@b", "to: c@d"), "is no host:port"),
        (("kind: mail", "server: m:25", "from: me", "to: c@d"), "'me' is no mail address"),
        (("kind: mail", "server: m:25", "from: a@b", "to: 'x, c@d'"), "'x' is no mail address"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, fields: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        receivers(tmp_path, *fields)
    assert said in str(caught.value)
    assert f"{tmp_path / 'site.yaml'}:" in str(caught.value)
