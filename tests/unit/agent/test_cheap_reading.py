"""What the agent reads without the library's slower half is what that half would read."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import socket
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keybuzz.agent.kinds.host import firewall, packages
from keybuzz.agent.readings import system_look, tcp_ports
from keybuzz.agent.wire import http, json_text
from keybuzz.agent.wire.pattern import Pattern
from keybuzz.agent.wire.sha256 import sha256
from keybuzz.transport import bundle

LEAVES = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
LOOK = """
import sys
from keybuzz.agent.guard import looks
from keybuzz.agent.readings import system_look, table, tcp_ports, units
from keybuzz.agent.kinds import reader
from keybuzz.agent.runtime.context import Context
from keybuzz.agent.wire import docker
looks.hold_to("look")
context = Context("00", None)
for kind in ("directory", "symlink", "absent", "file", "operating-system", "package", "sysctl", "service", "swap"):
    reader(kind)
for kind in ("docker-daemon", "ssh-server", "firewall", "container", "image"):
    reader(kind)
reader("file")({"name": "/etc/hosts", "secret": False}, context)
system_look.memory(system_look._read("/proc/meminfo")), list(system_look.disks())
os.write(1, " ".join(sys.modules).encode())
os._exit(0)
"""


def outcome(parse: Any, data: bytes) -> object:
    try:
        return parse(data)
    except ValueError:
        return ValueError


@given(
    VALUES, st.sampled_from(["", " ", "\r\n\t"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
)
def test_json_of_any_program_is_what_the_library_reads(value: Any, around: str, code: str) -> None:
    data = f"{around}{json.dumps(value)}{around}".encode(code)
    assert json_text.parse(data) == outcome(json.loads, data)


@given(st.binary(max_size=40))
@example(b"")
@example(b" ")
@example(b"[1] x")
@example(b'"\xff"')
@example(b'{"a": "\\ud800"}')
def test_what_is_no_json_is_refused_as_the_library_does(data: bytes) -> None:
    assert outcome(json_text.parse, data) == outcome(json.loads, data)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
@example(bytes(16))
@example(b"\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\x7f")
@example(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01")
def test_an_address_is_the_librarys(words: bytes) -> None:
    own = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    shown = tcp_ports.address_of(words.hex().upper())
    if len(own) == 4:
        assert shown == str(ipaddress.IPv4Address(own))
        return
    address = ipaddress.IPv6Address(own)
    wanted = "*" if not any(own) else str(address.ipv4_mapped or f"[{address}]")
    assert shown == wanted


RULE = re.compile(
    r"^### tuple ### allow (?P<protocol>\S+) (?P<port>\S+) (?P<to>\S+) any (?P<source>\S+) in"
    r" comment=(?P<comment>[0-9a-f]+)$",
    re.M,
)
POLICY = re.compile(r'^DEFAULT_(?P<direction>INPUT|OUTPUT)_POLICY="?(?P<word>\w+)"?$', re.M)
WORDS = st.sampled_from(
    [
        "### tuple ###",
        "allow",
        "limit",
        "tcp",
        "any",
        "22",
        "0.0.0.0/0",
        "in",
        "comment=6b627a",
        "comment=",
        "comment=6B",
        "",
        "\t",
        "any in",
        "-A ufw-user-input",
        "\xa0",
        "###",
        "tuple",
    ]
)
GOOD = "### tuple ### allow tcp 22 0.0.0.0/0 any 10.0.0.0/16 in comment=6b627a3a"


@given(
    st.lists(st.lists(WORDS, max_size=12).map(" ".join) | st.just(GOOD), max_size=6).map("\n".join)
)
@example(GOOD)
@example(f"{GOOD}\n{GOOD} \n {GOOD}\n{GOOD}\r\n{GOOD}0")
@example(GOOD.replace(" any ", " out "))
@example(GOOD.replace(" tcp ", "  "))
def test_ufws_rules_are_those_of_its_form(text: str) -> None:
    assert list(firewall._rules(text)) == [found.groupdict() for found in RULE.finditer(text)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["DEFAULT_INPUT_POLICY=", "DEFAULT_OUTPUT_POLICY=", "#DEFAULT_INPUT_POLICY="]
            ),
            st.sampled_from(
                ['"DROP"', "DROP", '"ACCEPT', 'REJECT"', '""', "", '""DROP""', "DROP x", "é_1"]
            ),
        ).map("".join)
    ).map("\n".join)
)
def test_ufws_policies_are_its_last_words(text: str) -> None:
    words = {m["direction"]: firewall._POLICIES.get(m["word"], "") for m in POLICY.finditer(text)}
    assert firewall._policies(text) == {
        "incoming": words.get("INPUT", ""),
        "outgoing": words.get("OUTPUT", ""),
    }


NOT_OURS = re.compile(
    r"^/(?:proc|sys|dev)(?:/|$)"
    r"|^/run/(?:host|user|credentials|systemd|docker|containerd|k3s|netns|lock)(?:/|$)"
    r"|^/var/lib/(?:docker|containerd|kubelet|rancher)/."
)
PARTS = st.sampled_from(
    [
        "proc",
        "sys",
        "dev",
        "run",
        "host",
        "user",
        "lock",
        "var",
        "lib",
        "docker",
        "kubelet",
        "data",
        "k3s",
        "",
        "overlay2",
        "docker2",
    ]
)


@given(st.lists(PARTS, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts)))
@example("/var/lib/docker")
@example("/var/lib/docker/")
@example("/var/lib/docker/overlay2/x/merged")
@example("/run")
@example("/run/docker")
@example("/process")
def test_mounts_of_the_system_are_told_by_their_parts(point: str) -> None:
    assert system_look._is_the_systems(point) == bool(NOT_OURS.match(point))


TIMES = st.sampled_from(
    [
        "NTP=a.b",
        "#NTP=c.d",
        "  FallbackNTP = e.f g.h",
        "NTP=",
        "server i.j iburst",
        "serve k.l",
        "[Time]",
        "pool\tm.n",
        "",
        "peer",
        "\x0bNTP=o.p",
    ]
)


@given(st.lists(TIMES, max_size=8).map("\n".join))
def test_no_line_with_time_servers_is_left_out(tmp_path_factory: Any, text: str) -> None:
    file = tmp_path_factory.mktemp("time") / "timesyncd.conf"
    file.write_text(text)
    wanted = {
        word
        for line in system_look._ASKED.findall(text)
        for word in line.split()
        if "." in word or ":" in word
    }
    assert system_look.time_servers((str(file),)) == sorted(wanted)


STATUS = b"""
Package: jq
Status: install ok installed
Version: 1.6-2

Package: jq-more
Status: install ok installed
Version: 9

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.36
Description: has no
 Version: 0

Package: libc6
Status: deinstall ok config-files
Architecture: i386
Version: 2.1

Package: last
Status: install ok half-installed
Version: 1
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("jq", ("1.6-2", False)),
        ("libc6", ("2.36", True)),
        ("last", None),
        ("j", None),
        ("Package: jq", None),
    ],
)
def test_a_package_is_found_by_its_whole_name(name: str, found: tuple[str, bool] | None) -> None:
    shown = packages._installed(name, STATUS)
    assert (shown and (shown["version"], shown["held"])) == found


@given(st.binary())
def test_the_digest_is_sha_256(data: bytes) -> None:
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_a_pattern_is_the_librarys() -> None:
    text, lazy, plain = "a1 b22", Pattern(r"[a-z](\d+)"), re.compile(r"[a-z](\d+)")
    assert lazy.findall(text) == plain.findall(text) == ["1", "22"]
    assert [m.span() for m in lazy.finditer(text)] == [m.span() for m in plain.finditer(text)]
    assert (lazy.fullmatch(text), bool(lazy.match(text)), bool(lazy.search("- c3"))) == (
        None,
        True,
        True,
    )
    assert lazy.sub(lambda match: match[1], text) == "1 22"


def test_a_connection_goes_to_the_next_address_and_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # localhost may be ::1 first, where nothing listens
        with http.connect_tcp("localhost", port, 5.0) as connection:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"x")
                assert connection.recv(1) == b"x"
        assert connection.fileno() == -1
    with pytest.raises(ConnectionRefusedError):
        http.connect_tcp("127.0.0.1", port, 5.0)


def test_a_look_at_a_bare_host_loads_little() -> None:
    code = bundle.LOADER.replace("from keybuzz.agent.main import serve\nserve()\n", LOOK)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code],
        input=bundle.preamble(),
        capture_output=True,
        check=True,
    )
    heavy = {"contextlib", "enum", "hashlib", "ipaddress", "json", "re", "shlex", "socket"}
    assert "keybuzz.agent.wire.docker" in done.stdout.decode().split()
    assert heavy.isdisjoint(done.stdout.decode().split())
