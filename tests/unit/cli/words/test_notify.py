"""`kbz notify`: tries out who is told, on real receivers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keybuzz.cli import main
from tests.unit.engine.notify.receivers import mail_server, web_server
from tests.unit.support.site_values import planted_configuration

USAGE, UNREACHABLE = 64, 4


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    planted_configuration(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def receivers(folder: Path, **fields: dict[str, str]) -> None:
    path = folder / "overlay.yaml"
    path.write_text(path.read_text() + f"\nnotify: {json.dumps(fields)}\n")


def test_each_takes_a_test_message(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mail_server() as mail, web_server() as web:
        address = f"127.0.0.1:{mail.port}"
        one = {"kind": "mail", "server": address, "tls": "none", "from": "a@b", "to": "c@d"}
        receivers(here, ops=one, chat={"kind": "slack", "url": f"http://127.0.0.1:{web.port}/"})
        assert main._main(["notify", "test"]) == 0
        assert capsys.readouterr().out == "chat took a test message\nops took a test message\n"
        assert main._main(["notify", "test", "ops"]) == 0
    assert [found["Subject"].split(" (")[0] for found in mail.mails] == ["kbz notify test"] * 2
    [(_, found)] = web.posted
    assert "this is a test" in found["text"]


def test_one_that_takes_nothing_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with web_server() as gone:
        pass
    receivers(here, chat={"kind": "slack", "url": f"http://127.0.0.1:{gone.port}/"})
    assert main._main(["notify", "test"]) == UNREACHABLE
    said = capsys.readouterr().err
    assert "Connection refused" in said
    assert "not told: chat" in said


def test_a_secret_address_that_is_none_is_in_no_output_and_no_report_of_a_fault(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "T0KEN-of-the-hook"
    place = here / "credentials" / "slack.url"
    place.write_text(f"https://hooks.example.org/{secret} # ops\n")
    place.chmod(0o600)
    with web_server() as web:
        other = {"kind": "webhook", "url": f"http://127.0.0.1:{web.port}/"}
        receivers(here, chat={"kind": "slack", "url_file": "slack.url"}, hook=other)
        assert main._main(["notify", "test"]) == UNREACHABLE
        assert main._main(["notify", "failed", "kbz-health.service"]) == 0
    said = "".join(capsys.readouterr())
    assert f"chat was not told: {place}: the address in it holds white space" in said
    assert "hook took a test message" in said, "one that fails keeps no other from being tried"
    kept = [path.read_bytes() for path in (here / "state").rglob("*") if path.is_file()]
    assert kept
    assert secret not in said
    assert not [content for content in kept if secret.encode() in content]


def test_another_name_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receivers(here, chat={"kind": "slack", "url_file": "x"})
    assert main._main(["notify", "test", "chatt"]) == USAGE
    assert "did you mean chat?" in capsys.readouterr().err


def test_without_a_section_nothing_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main._main(["notify", "test"]) == 0
    assert "site.yaml has no section notify" in "".join(capsys.readouterr())


def test_a_unit_that_failed(here: Path) -> None:
    with web_server() as web:
        receivers(here, hook={"kind": "webhook", "url": f"http://127.0.0.1:{web.port}/"})
        assert main._main(["notify", "failed", "kbz-health.service"]) == 0
    [(_, found)] = web.posted
    assert found["topic"] == "health"
    assert "kbz-health.service failed" in found["lines"][0]
