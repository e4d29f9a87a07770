"""`notify` in site.yaml: who is told of what.

A password, and an address that is itself a secret, are in files of the folder of the credentials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.files.yaml_tree import Scalar, Tree, TreeReader

TOPICS = ("drift", "health", "runs", "backups")
"""What a receiver may be told of."""
MOST_LOOKS = 100
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
_COMMON = ("about", "good_looks")
_FIELDS = {
    "mail": (("server", "from", "to"), ("tls", "user", "password_file")),
    "webhook": ((), ("url", "url_file")),
    "slack": ((), ("url", "url_file")),
}


class Tls(Enum):
    """How a connection to a mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    FULL = "tls"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    tls: Tls
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password_file: str = ""
    """In the folder of the credentials."""


@dataclass(frozen=True, slots=True)
class Web:
    """An address that takes JSON."""

    url: str
    url_file: str
    """In the folder of the credentials, where the address is itself a secret, as Slack's is."""
    slack: bool
    """True when the other side expects Slack's form."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One who is told."""

    name: str
    place: MailServer | Web
    about: frozenset[str]
    good_looks: int
    """Looks in a row in which a fault must be gone before that is told."""
    where: str
    """`file:line`, for messages."""

    @property
    def secret_file(self) -> str:
        """The file in the folder of the credentials that it needs; empty for none."""
        place = self.place
        return place.password_file if isinstance(place, MailServer) else place.url_file


def parse_receivers(reader: TreeReader, tree: Tree, file: str) -> dict[str, Receiver]:
    """Return the receivers of a section `notify`, by name; problems are noted with their lines."""
    found: dict[str, Receiver] = {}
    for key, value in reader.entries(tree, "notify"):
        if not _NAME.fullmatch(key.text):
            what = f"notify.{shown(key.text)} is no name"
            reader.problems.add(key.line, what, "small letters, digits and dashes")
            continue
        receiver = _Reader(reader, key, file).receiver(value)
        if receiver is not None:
            found[key.text] = receiver
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    reader: TreeReader
    key: Scalar
    file: str

    def receiver(self, tree: Tree) -> Receiver | None:
        entries = {key.text: value for key, value in self.reader.entries(tree, self._label(""))}
        kind = self._text(entries, "kind")
        if kind not in _FIELDS:
            what = f"{self._label('kind')} is {shown(kind) if kind else 'missing'}"
            self._wrong(entries, "kind", what, nearest(kind, _FIELDS))
            return None
        required, optional = _FIELDS[kind]
        known = ("kind", *required, *optional, *_COMMON)
        before = len(self.reader.problems)
        fields = self.reader.fields(tree, self._label(""), ("kind", *required), known[1:])
        if len(self.reader.problems) > before:
            return None
        place = self._mail(fields) if kind == "mail" else self._web(fields, kind)
        about, looks = self._about(fields), self._looks(fields)
        if len(self.reader.problems) > before or place is None:
            return None
        return Receiver(self.key.text, place, about, looks, f"{self.file}:{self.key.line}")

    def _mail(self, fields: dict[str, Tree]) -> MailServer | None:
        host, _, port = self._text(fields, "server").rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            self._wrong(fields, "server", f"{self._label('server')} is no host:port", "mail-01:587")
        tls = self._text(fields, "tls") or Tls.STARTTLS.value
        kinds = [item.value for item in Tls]
        if tls not in kinds:
            self._wrong(fields, "tls", f"{self._label('tls')} is {shown(tls)}", ", ".join(kinds))
        to = tuple(self._text(fields, "to").replace(",", " ").split())
        for name, addresses in (("from", (self._text(fields, "from"),)), ("to", to)):
            for address in addresses:
                if not _ADDRESS.fullmatch(address):
                    what = f"{self._label(name)}: {shown(address)} is no mail address"
                    self._wrong(fields, name, what, "ops@example.org")
        user, password = self._text(fields, "user"), self._file(fields, "password_file")
        if bool(user) != bool(password):
            what = f"{self._label('user')} and password_file belong together"
            self._wrong(fields, "user", what, "give both or none")
        if user and tls == Tls.NONE.value:
            what = (
                f"{self._label('tls')} is none, and a password would go over the network in clear"
            )
            self._wrong(fields, "tls", what, "starttls or tls")
        if tls not in kinds or not port.isdecimal():
            return None
        return MailServer(host, int(port), Tls(tls), self._text(fields, "from"), to, user, password)

    def _web(self, fields: dict[str, Tree], kind: str) -> Web:
        url, file = self._text(fields, "url"), self._file(fields, "url_file")
        if bool(url) == bool(file):
            what = f"{self._label('')} needs either url or url_file"
            self._wrong(fields, "url", what, "url_file where the address itself is a secret")
        if url and (why := wrong_url(url)):
            self._wrong(fields, "url", f"{self._label('url')} {why}", "https://host/path")
        return Web(url, file, kind == "slack")

    def _about(self, fields: dict[str, Tree]) -> frozenset[str]:
        words = self._text(fields, "about").replace(",", " ").split() or list(TOPICS)
        for word in words:
            if word not in TOPICS:
                what = f"{self._label('about')} has {shown(word)}"
                self._wrong(fields, "about", what, nearest(word, TOPICS))
        return frozenset(words)

    def _looks(self, fields: dict[str, Tree]) -> int:
        if "good_looks" not in fields:
            return 3
        return self.reader.number(fields["good_looks"], self._label("good_looks"), 1, MOST_LOOKS)

    def _file(self, fields: dict[str, Tree], name: str) -> str:
        text = self._text(fields, name)
        if text and not _FILE.fullmatch(text):
            what = f"{self._label(name)} is {shown(text)}"
            self._wrong(fields, name, what, "the name of a file in the folder of the credentials")
        return text

    def _text(self, fields: dict[str, Tree], name: str) -> str:
        return self.reader.text(fields[name], self._label(name)) if name in fields else ""

    def _wrong(self, fields: dict[str, Tree], name: str, what: str, hint: str) -> None:
        line = fields[name].line if name in fields else self.key.line
        self.reader.problems.add(line, what, hint)

    def _label(self, name: str) -> str:
        return f"notify.{self.key.text}" + (f".{name}" if name else "")


def wrong_url(url: str) -> str:
    """Return why a text is no address that takes JSON, without the text; empty when it is one."""
    if not all("!" <= character <= "~" for character in url):
        return "holds white space or another character that no address has"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "is no http or https address"
    if parts.username or parts.password:
        return "holds a password"
    return ""
