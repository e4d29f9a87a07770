"""Who runs this command: the user, who became that user, from where, with which key, and at which terminal."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

_LONGEST = 100
"""Characters of one fact: some come from the environment."""
_ANCESTORS = 32
_NO_LOGIN = 4294967295
_KEY_FILE = 65536


@dataclass(frozen=True, slots=True)
class Who:
    """What is known of the person, or program, behind a command; unknown facts are empty."""

    user: str = ""
    host: str = ""
    login: str = ""
    """The user of the login session, which the kernel remembers through su and sudo."""
    sudo: str = ""
    """Who called sudo."""
    address: str = ""
    """Where the SSH connection comes from."""
    key: str = ""
    """Fingerprint of the SSH key, where sshd tells it (ExposeAuthInfo)."""
    terminal: str = ""

    @property
    def person(self) -> str:
        """Return the user, or `alice as root` when another user has become this one."""
        first = self.sudo or self.login
        return f"{first} as {self.user}" if first and first != self.user else self.user

    @property
    def owner(self) -> str:
        """Return the person and the machine: `alice as root@install-01`."""
        return f"{self.person}@{self.host}"

    @property
    def sentence(self) -> str:
        """Return everything that is known, in words."""
        found = [self.owner]
        if self.address:
            found.append(f"from {self.address}")
        if self.key:
            found.append(f"with key {self.key}")
        found.append(f"at {self.terminal}" if self.terminal else "without a terminal")
        return ", ".join(found)

    def text(self) -> str:
        """Return it as the journal keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Who | None:
        """Return what the journal has kept; None where it kept nothing."""
        try:
            told = json.loads(text)
            return cls(**{field.name: str(told.get(field.name, "")) for field in fields(cls)})
        except (ValueError, AttributeError):
            return None


def this_caller() -> Who:
    """Return who runs this process."""
    connection = _of_connection()
    return Who(
        user=_short(_user(os.geteuid())),
        host=_short(socket.gethostname()),
        login=_login(),
        # sudo sets it, for root; any other user can write into it what he likes.
        sudo=_short(os.environ.get("SUDO_USER", "")) if os.geteuid() == 0 else "",
        address=_short(connection.get("SSH_CONNECTION", "").partition(" ")[0]),
        key=_key(connection.get("SSH_USER_AUTH", "")),
        terminal=_terminal(),
    )


def _of_connection() -> Mapping[str, str]:
    """Return the environment of the SSH session that this process belongs to: sudo and cron pass it to no one.

    That of the oldest process which has one: sshd gave it to that process, and what a shell set later is not in it.
    """
    for environment in (*reversed(tuple(_of_ancestors())), os.environ):
        if environment.get("SSH_CONNECTION"):
            return environment
    return {}


def _user(number: int) -> str:
    """Return the name of a user: LOGNAME and USER are words of the environment, and prove nothing."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _of_ancestors() -> Iterator[Mapping[str, str]]:
    pid = os.getppid()
    for _ in range(_ANCESTORS):
        if pid <= 1:
            return
        try:
            pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        split = (os.fsdecode(pair).partition("=") for pair in pairs)
        yield {name: value for name, _, value in split}
        pid = int(status.rpartition(")")[2].split()[1])


def _login() -> str:
    with suppress(OSError, ValueError):
        number = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
        if number != _NO_LOGIN:
            return _short(_user(number))
    return ""


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return _short(os.ttyname(descriptor).removeprefix("/dev/"))
    return ""


def _key(path: str) -> str:
    """Return the fingerprint of the key in the file that sshd wrote for this session."""
    if not path:
        return ""
    with suppress(OSError, ValueError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            lines = file.read(_KEY_FILE).decode("ascii", "replace").splitlines()
        for words in map(str.split, lines):
            if len(words) >= 3 and words[0] == "publickey":
                digest = hashlib.sha256(base64.b64decode(words[2], validate=True)).digest()
                return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    return ""


def _short(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_LONGEST]
