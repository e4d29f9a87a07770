"""Hands a message to a mail server or to an address on the web. What goes wrong is a sentence without secrets."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from keybuzz.engine.notify.messages import Message
from keybuzz.model.core.errors import ContactError, InputError, KbzError
from keybuzz.model.core.secret import Secret
from keybuzz.site.files.private import read_private
from keybuzz.site.parameters.receivers import MailServer, Receiver, Tls, Web, wrong_url

SECONDS = 10.0
"""For one answer of a receiver."""
_LONGEST_SECRET = 1 << 12
_SLACK_MOST = 3000
_GOOD = range(200, 300)
_THIS_ONE = (400, 406, 411, 413, 414, 415, 422, 431)
"""Answers of a web server that are about the message; any other is about its address, its login or the moment."""
_MAILBOX = 550
"""From here on a mail server refuses the message; below are its connection, its login and what may pass."""


class NeverTakenError(ContactError):
    """This message is refused for good; the next one may be taken."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Hands messages to receivers."""

    credentials: Path
    """The folder with the files that receivers name."""

    def send(self, receiver: Receiver, message: Message) -> str:
        """Hand over one message; return who of its takers was refused, empty for none.

        ContactError, without a secret in it, when it was not taken; NeverTakenError when it never will be.
        """
        try:
            match receiver.place:
                case MailServer() as server:
                    return self._mail(server, message)
                case Web() as web:
                    return self._post(web, message)
        except Exception as error:
            kind = NeverTakenError if _for_good(error) else ContactError
            hint = error.hint if isinstance(error, KbzError) else ""
            what = f"{receiver.name} was not told: {_reason(error)}"
            raise kind(what, where=receiver.where, hint=hint) from None

    def _mail(self, server: MailServer, message: Message) -> str:
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
            refused = client.send_message(mail)
        return _no_mail(refused) if refused else ""

    def _post(self, web: Web, message: Message) -> str:
        url = self._secret(web.url_file).reveal() if web.url_file else web.url
        if why := wrong_url(url):
            where = str(self.credentials / web.url_file)
            raise InputError(f"the address in it {why}", where=where, hint="https://host/path")
        body = json.dumps(_slack(message) if web.slack else message.document()).encode()
        head = {"Content-Type": "application/json", "User-Agent": "kbz"}
        request = urllib.request.Request(url, body, head, method="POST")
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=SECONDS) as answer:
            if answer.status not in _GOOD:
                raise ContactError(f"it answers {answer.status}")
        return ""

    def _secret(self, name: str) -> Secret:
        path = self.credentials / name
        try:
            text = read_private(path, _LONGEST_SECRET, secret=True).decode().strip()
        except FileNotFoundError:
            raise InputError("there is no such file", where=str(path)) from None
        except UnicodeDecodeError:
            raise InputError("is no text in UTF-8", where=str(path)) from None
        if not text:
            raise InputError("is empty", where=str(path))
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


def _for_good(error: Exception) -> bool:
    """Return whether the same message would be refused again: it stands in the way of those behind it."""
    match error:
        case HTTPError():
            return error.code in _THIS_ONE
        case smtplib.SMTPRecipientsRefused():
            return all(code >= _MAILBOX for code, _ in error.recipients.values())
        case smtplib.SMTPDataError() | smtplib.SMTPSenderRefused():
            return error.smtp_code >= _MAILBOX
    return False


def _reason(error: object) -> str:
    """Return why, in words of ours, of the system or of the mail library; any other text may hold a secret."""
    match error:
        case KbzError():
            return f"{error.where}: {error.what}" if error.where else error.what
        case HTTPError():
            return f"it answers {error.code}"
        case URLError() if isinstance(error.reason, OSError):
            return _reason(error.reason)
        case smtplib.SMTPResponseException():
            return f"the mail server says {error.smtp_code}"
        case smtplib.SMTPRecipientsRefused():
            return _no_mail(error.recipients)
        case TimeoutError():
            return f"it did not answer within {SECONDS:g} s"
        case OSError() if error.strerror and not isinstance(error, HTTPException):
            return error.strerror
        case smtplib.SMTPException():
            return str(error) or type(error).__name__
    return type(error).__name__


def _no_mail(recipients: Iterable[str]) -> str:
    return f"the mail server takes no mail for {', '.join(sorted(recipients))}"
