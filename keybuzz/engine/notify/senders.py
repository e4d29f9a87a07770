"""Hands a message to a mail server or to an address on the web. What goes wrong is a sentence without secrets."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from keybuzz.engine.notify.messages import Message
from keybuzz.model.core.errors import ContactError, KbzError
from keybuzz.model.core.secret import Secret
from keybuzz.site.files.private import read_private
from keybuzz.site.parameters.receivers import MailServer, Receiver, Tls, Web, wrong_url

SECONDS = 10.0
"""For one receiver to take one message."""
_LONGEST_SECRET = 1 << 12
_SLACK_MOST = 3000
_GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class Sender:
    """Hands messages to receivers."""

    credentials: Path
    """The folder with the files that receivers name."""

    def send(self, receiver: Receiver, message: Message) -> None:
        """Hand over one message; KbzError, without a secret in it, when it was not taken."""
        try:
            match receiver.place:
                case MailServer() as server:
                    self._mail(server, message)
                case Web() as web:
                    self._post(web, message)
        except KbzError:
            raise
        except smtplib.SMTPResponseException as error:
            raise _refused(receiver, f"the mail server says {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            names = ", ".join(sorted(error.recipients))
            raise _refused(receiver, f"the mail server takes no mail for {names}") from None
        except HTTPError as error:
            raise _refused(receiver, f"it answers {error.code}") from None
        except URLError as error:
            raise _refused(receiver, _reason(error.reason)) from None
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise _refused(receiver, _reason(error)) from None

    def _mail(self, server: MailServer, message: Message) -> None:
        mail = EmailMessage()
        mail["Subject"], mail["From"] = message.subject, server.sender
        mail["To"], mail["Date"] = ", ".join(server.to), formatdate()
        mail["Message-ID"] = make_msgid(domain="kbz.invalid")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text + "\n")
        context = ssl.create_default_context()
        client: smtplib.SMTP
        if server.tls is Tls.FULL:
            client = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
        with client:
            if server.tls is Tls.STARTTLS:
                client.starttls(context=context)
            if server.user:
                client.login(server.user, self._secret(server.password_file).reveal())
            client.send_message(mail)

    def _post(self, web: Web, message: Message) -> None:
        url = self._secret(web.url_file).reveal() if web.url_file else web.url
        if why := wrong_url(url):
            raise ValueError(f"the address in {web.url_file} {why}")
        body = json.dumps(_slack(message) if web.slack else message.document()).encode()
        head = {"Content-Type": "application/json", "User-Agent": "kbz"}
        request = urllib.request.Request(url, body, head, method="POST")
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=SECONDS) as answer:
            if answer.status not in _GOOD:
                raise ValueError(f"it answers {answer.status}")

    def _secret(self, name: str) -> Secret:
        text = read_private(self.credentials / name, _LONGEST_SECRET, secret=True).decode().strip()
        if not text:
            raise ValueError(f"{name} is empty")
        return Secret(name, text)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes to the address that site.yaml names, and nowhere else."""

    def redirect_request(self, *words: Any, **more: Any) -> None:
        return None


def _slack(message: Message) -> dict[str, str]:
    """Return the one form that Slack, Mattermost and Rocket.Chat all take."""
    text = f"*{_escaped(message.subject)}*\n{_escaped(message.text)}"
    return {"text": text if len(text) <= _SLACK_MOST else f"{text[: _SLACK_MOST - 1]}…"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {SECONDS:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _refused(receiver: Receiver, why: str) -> ContactError:
    return ContactError(
        f"{receiver.name} was not told: {why}",
        where=receiver.where,
        hint="it is tried again with the next message",
    )
