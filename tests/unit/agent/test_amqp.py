"""The AMQP login against a scripted server: what it accepts, what it says, and what is no RabbitMQ."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from keybuzz.agent.readings import table as readings

START = b"\0\x09" + struct.pack(">I", 30) + b"\x0ccluster_nameS" + struct.pack(">I", 3) + b"one"


def method(major: int, minor: int, arguments: bytes = b"") -> bytes:
    payload = struct.pack(">HH", major, minor) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


@contextmanager
def server(*answers: bytes) -> Iterator[int]:
    """Answer each thing that comes with the next of these, then hang up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    connection.recv(65536)
                    connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def ask(port: int) -> dict[str, object]:
    query = {"kind": "amqp-login", "address": "127.0.0.1", "port": port, "vhost": "/"}
    return readings.ask({**query, "user": "kb_rmq", "password": "right", "timeout": 3.0})


def test_a_login_that_works_tells_whose_cluster_it_is() -> None:
    tune = method(10, 30, struct.pack(">HIH", 2047, 131072, 60))
    # TuneOk and Open come as two frames, which may arrive together or not.
    with server(method(10, 10, START), tune, method(10, 41, b"\0") + method(10, 51)) as port:
        found = ask(port)
    assert found == {"value": {"accepted": True, "reason": "", "cluster": "one"}}


def test_a_wrong_password_is_an_answer_and_no_problem() -> None:
    refused = method(10, 50, struct.pack(">H", 403) + b"\x0eACCESS_REFUSED" + b"\0\0\0\0")
    with server(method(10, 10, START), refused) as port:
        found = ask(port)
    assert found == {"value": {"accepted": False, "reason": "ACCESS_REFUSED", "cluster": "one"}}


def test_what_does_not_speak_amqp_is_a_problem() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert ask(port) == {"problem": "what answers does not speak AMQP 0-9-1"}


def test_a_server_that_hangs_up_is_a_problem() -> None:
    with server(b"") as port:
        assert "hung up" in str(ask(port)["problem"])
