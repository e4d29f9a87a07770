"""Host certificates and revoked keys, the same in every transport, against a real OpenSSH server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybuzz.model.core.errors import ContactError
from tests.flow.support.connections import Loopback
from tests.flow.support.sshd import Server, make_key, running

NAMES = "127.0.0.1,web-01"


@dataclass(frozen=True, slots=True)
class Certified:
    """A server that shows a certificate, and the authority that signed it."""

    server: Server
    authority: Path
    loopback: Loopback

    def known_hosts(self, *lines: str) -> str:
        """Write a file of these lines and return its path; `{ca}` and `{key}` stand for public keys."""
        keys = {
            "ca": self.authority.with_suffix(".pub").read_text().strip(),
            "key": (self.server.folder / "host_key.pub").read_text().strip(),
        }
        path = self.server.folder / "chosen_hosts"
        path.write_text("".join(f"{line.format(**keys)}\n" for line in lines))
        return str(path)


@contextmanager
def showing(loopback: Loopback, folder: Path, *words: str) -> Iterator[Certified]:
    """Run a server whose key an authority has signed with these words of ssh-keygen."""
    authority = make_key(folder / "authority")
    make_key(folder / "host_key")
    public = str(folder / "host_key.pub")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *words, public]
    subprocess.run(sign, check=True, capture_output=True)
    with running(folder, more=f"HostCertificate {folder}/host_key-cert.pub") as server:
        yield Certified(server, authority, Loopback(server, loopback.python, loopback.hosts))


@pytest.fixture
def certified(loopback: Loopback, tmp_path: Path) -> Iterator[Certified]:
    with showing(loopback, tmp_path, "-h", "-n", NAMES) as found:
        yield found


def refused(certified: Certified, link: str, known_hosts: str) -> ContactError:
    with pytest.raises(ContactError) as caught:
        certified.loopback.session(link, known_hosts=known_hosts)
    assert caught.value.where == "web-01"
    return caught.value


@pytest.mark.parametrize("pattern", ["*", "[127.0.0.*]:*"])
def test_an_authority_vouches_for_the_host(
    certified: Certified, ssh_link: str, pattern: str
) -> None:
    known_hosts = certified.known_hosts(f"@cert-authority {pattern} {{ca}}")
    session = certified.loopback.session(ssh_link, known_hosts=known_hosts)
    assert session.execute(["true"], timeout=10).exit_code == 0


def test_a_pinned_key_is_enough_without_the_certificate(
    certified: Certified, ssh_link: str
) -> None:
    session = certified.loopback.session(ssh_link, known_hosts=certified.known_hosts("* {key}"))
    assert session.execute(["true"], timeout=10).exit_code == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("@revoked * {key}", "@cert-authority * {ca}"), "is revoked in known_hosts"),
        (("@revoked * {key}", "* {key}"), "is revoked in known_hosts"),
        (("@revoked * {ca}", "@cert-authority * {ca}"), "is not pinned"),
        (("@cert-authority 10.0.0.* {ca}",), "is not pinned"),
        (("@cert-authority * {key}",), "no @cert-authority line for this host"),
    ],
)
def test_what_is_revoked_or_meant_for_others_is_refused(
    certified: Certified, ssh_link: str, lines: tuple[str, ...], said: str
) -> None:
    assert said in refused(certified, ssh_link, certified.known_hosts(*lines)).what


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-h", "-n", "10.9.9.9"), "it is for 10.9.9.9"),
        (("-h",), "it is for no name"),
        (("-h", "-n", NAMES, "-V", "20200101:20200102"), "no longer valid"),
        (("-h", "-n", NAMES, "-V", "20900101:20900102"), "not yet"),
    ],
)
def test_a_certificate_that_is_not_good_is_refused(
    loopback: Loopback, ssh_link: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    with showing(loopback, tmp_path, *words) as there:
        error = refused(there, ssh_link, there.known_hosts("@cert-authority * {ca}"))
    assert said in error.what
    assert "ssh-keygen -s CA -h" in error.hint
