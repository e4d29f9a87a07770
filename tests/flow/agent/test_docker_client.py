"""The agent's Docker client against a socket that answers like the Engine API."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire import docker as module
from keybuzz.agent.wire.docker import Docker, DockerUnavailableError, quote
from tests.flow.support.unix_server import Answer, Request, Server, respond, serving, stream_frame

Serving = Callable[[Answer], AbstractContextManager[Server]]
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
OUTPUT = (1, b"two rows\n"), (2, b"a warning\n"), (1, b""), (1, b"end"), (2, b"!")


@pytest.fixture
def serve(tmp_path: Path) -> Serving:
    return lambda answer: serving(tmp_path / "docker.sock", answer)


def docker(server: Server) -> Docker:
    return Docker(str(server.path))


def engine(stream: Callable[[Request], Iterator[bytes]], code: int | None = 0) -> Answer:
    """Return an engine with one container, `db`, whose commands write what `stream` yields."""

    def answer(request: Request) -> bytes | Iterator[bytes]:
        match request.method, request.path:
            case "POST", "/containers/db/exec":
                return respond(201, {"Id": "e1"})
            case "POST", "/exec/e1/start":
                return stream(request)
            case "GET", "/exec/e1/json":
                return respond(200, {"ExitCode": code, "Running": code is None})
        return respond(404, {"message": f"No such thing: {request.path}"})

    return answer


def test_an_engine_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DockerUnavailableError, match="No such file or directory") as caught:
        Docker(str(tmp_path / "docker.sock")).get("/info")
    assert caught.value.hint == "systemctl status docker"


def test_an_engine_that_hangs_is_asked_once_and_named(
    serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-44: SIGSTOP of dockerd. Each look once waited for itself, until the whole host counted as lost."""
    monkeypatch.setattr(module, "LOOK_TIMEOUT", 0.3)
    asked: list[str] = []

    def silent(request: Request) -> Iterator[bytes]:
        asked.append(request.path)
        time.sleep(1.0)
        yield b""

    with serve(silent) as server:
        engine = docker(server)
        for _ in range(3):
            with pytest.raises(DockerUnavailableError, match="dockerd hangs"):
                engine.inspect("db")
        with pytest.raises(DockerUnavailableError, match="dockerd hangs"):
            engine.execute("db", ["true"])
    assert asked == ["/containers/db/json"]


def test_what_is_not_there_is_none(serve: Serving) -> None:
    with serve(lambda request: respond(404, {"message": "No such container: x"})) as server:
        assert docker(server).inspect("x") is None
        assert docker(server).image_id("redis:7.2.5-alpine") is None


def test_half_an_answer_is_never_taken_for_nothing(serve: Serving) -> None:
    with serve(lambda request: respond(200, {"Id": "1234"})[:-5]) as server:
        for ask in (docker(server).inspect, docker(server).image_id):
            with pytest.raises(AgentError, match="not JSON"):
                ask("patroni")


def test_a_conflict_is_told_in_the_words_of_the_engine(serve: Serving) -> None:
    said = "Conflict. The container name /patroni is already in use"
    with (
        serve(lambda request: respond(409, {"message": said})) as server,
        pytest.raises(AgentError, match=rf"{said} \(status 409\)") as caught,
    ):
        docker(server).act("POST", "/containers/create?name=patroni", {"Env": ["PW=hidden"]})
    assert "hidden" not in caught.value.what
    assert "?name=" not in caught.value.what


def test_an_error_without_json_is_told_too(serve: Serving) -> None:
    answer = b"HTTP/1.0 500 Internal\r\n\r\nout of disk"
    with (
        serve(lambda request: answer) as server,
        pytest.raises(AgentError, match=r"out of disk \(status 500\)"),
    ):
        docker(server).act("POST", "/containers/x/start")


@pytest.mark.parametrize("status", [200, 204, 304])
def test_what_is_already_so_is_fine(serve: Serving, status: int) -> None:
    with serve(lambda request: respond(status)) as server:
        assert docker(server).act("POST", "/containers/x/start") is None


def test_an_engine_that_never_answers_meets_the_deadline(serve: Serving) -> None:
    def trickle(request: Request) -> Iterator[bytes]:
        yield b"HTTP/1.0 200 OK\r\n\r\n{"
        for _ in itertools.count():
            if server.ended.wait(0.02):
                return
            yield b" "

    with serve(trickle) as server:
        begin = time.monotonic()
        with pytest.raises(AgentError, match="did not come in time"):
            docker(server).call("GET", "/info", timeout=0.3)
        assert time.monotonic() - begin < 2


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1 << 16])
@pytest.mark.parametrize("head", [UPGRADED, b"HTTP/1.0 200 OK\r\n\r\n"])
def test_frames_are_split_at_any_border(serve: Serving, head: bytes, size: int) -> None:
    given_in: list[bytes] = []

    def stream(request: Request) -> Iterator[bytes]:
        wire = b"".join(stream_frame(*frame) for frame in OUTPUT)
        yield head + wire[:size]  # output may come along with the head
        given_in.append(request.rest())
        yield from (wire[start : start + size] for start in range(size, len(wire), size))

    with serve(engine(stream, code=3)) as server:
        done = docker(server).execute("db", ["psql", "-f", "-"], b"select 1;\n")
    assert done == (3, b"two rows\nend", b"a warning\n!")
    assert given_in == [b"select 1;\n"]


def test_the_input_is_in_no_request(serve: Serving) -> None:
    secret = b"alter role x password 'planted'"

    def stream(request: Request) -> Iterator[bytes]:
        yield UPGRADED
        request.rest()

    with serve(engine(stream)) as server:
        docker(server).execute("db", ["psql"], secret)
    sent = b"".join(r.path.encode() + r.body + repr(r.headers).encode() for r in server.requests)
    assert b"planted" not in sent
    assert base64.b64encode(secret)[:20] not in sent


def test_a_command_that_can_not_start_is_told(serve: Serving) -> None:
    said = respond(409, {"message": "Container db is paused"})
    with (
        serve(engine(lambda request: iter([said]))) as server,
        pytest.raises(AgentError, match=r"run psql in db: Container db is paused \(status 409\)"),
    ):
        docker(server).execute("db", ["psql"], b"select 1")


def test_a_command_that_reads_nothing_tells_its_exit_code(serve: Serving) -> None:
    def stream(request: Request) -> Iterator[bytes]:
        yield UPGRADED + stream_frame(2, b"no such file\n")  # and it hangs up

    with serve(engine(stream, code=127)) as server:
        done = docker(server).execute("db", ["pslq"], b"x" * 10_000_000, timeout=10)
    assert done == (127, b"", b"no such file\n")


def test_a_command_that_does_not_end_meets_the_deadline(serve: Serving) -> None:
    def stream(request: Request) -> Iterator[bytes]:
        yield UPGRADED
        for _ in itertools.count():
            if server.ended.wait(0.02):
                return
            yield stream_frame(1, b".")

    with serve(engine(stream)) as server:
        begin = time.monotonic()
        with pytest.raises(AgentError, match=r"psql in container db did not end within 0\.3 s"):
            docker(server).execute("db", ["psql"], timeout=0.3)
        assert time.monotonic() - begin < 2


def test_a_contact_lost_inside_a_command_is_no_success(serve: Serving) -> None:
    def stream(request: Request) -> Iterator[bytes]:
        yield UPGRADED + stream_frame(1, b"half of it")[:-4]

    with serve(engine(stream, code=None)) as server:
        assert docker(server).execute("db", ["psql"])[0] == 255


def validating(code: int, log: bytes, gone: list[str]) -> Answer:
    """Return an engine that runs a validator to its end."""

    def answer(request: Request) -> bytes:
        path = request.path.partition("?")[0]
        match request.method, path:
            case "POST", "/containers/create":
                return respond(201, {"Id": "v1"})
            case "POST", "/containers/v1/start":
                return respond(204)
            case "POST", "/containers/v1/wait":
                return respond(200, {"StatusCode": code})
            case "GET", "/containers/v1/logs":
                return b"HTTP/1.0 200 OK\r\n\r\n" + log
        gone.append(f"{request.method} {path}")
        return respond(204)

    return answer


def test_the_last_lines_of_a_container_with_both_streams_apart(serve: Serving) -> None:
    log = stream_frame(2, b"warning\n") + stream_frame(1, b"ready\n") + stream_frame(2, b"last\n")

    def answer(request: Request) -> bytes | Iterator[bytes]:
        if request.path == "/containers/db/logs?stdout=1&stderr=1&tail=3":
            return b"HTTP/1.0 200 OK\r\n\r\n" + log
        return respond(404, {"message": "No such container: web"})

    with serve(answer) as server:
        assert docker(server).log("db", 3) == (b"ready\n", b"warning\nlast\n")
        with pytest.raises(AgentError, match="No such container: web"):
            docker(server).log("web", 3)


def test_a_validator_has_no_network_and_is_removed(serve: Serving) -> None:
    gone: list[str] = []
    log = stream_frame(2, b"line 3 is odd\n") + stream_frame(1, b"checked\n")
    with serve(validating(1, log, gone)) as server:
        done = docker(server).run_once("haproxy:2.8.5", ["haproxy", "-c"], ["/a:/b:ro"])
    assert done == (1, "line 3 is odd\nchecked\n")
    options = server.requests[0].json()
    assert options["HostConfig"] == {"Binds": ["/a:/b:ro"], "NetworkMode": "none"}
    assert gone == ["DELETE /containers/v1"]


def test_a_validator_that_can_not_start_is_removed_too(serve: Serving) -> None:
    gone: list[str] = []
    good = validating(0, b"", gone)

    def answer(request: Request) -> bytes | Iterator[bytes]:
        if request.path.endswith("/start"):
            return respond(400, {"message": "no such program: haproxi"})
        return good(request)

    with serve(answer) as server, pytest.raises(AgentError, match="no such program: haproxi"):
        docker(server).run_once("haproxy:2.8.5", ["haproxi"], [])
    assert gone == ["DELETE /containers/v1"]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=30)), max_size=8), st.data())
def test_any_frames_split_anywhere_give_the_same(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    wire = b"".join(stream_frame(*frame) for frame in frames)
    border = data.draw(st.integers(0, len(wire)))
    first, rest = module._frames(wire[:border])
    second, nothing = module._frames(rest + wire[border:])
    assert [*first, *second] == frames
    assert nothing == b""


@given(st.text())
def test_a_name_can_not_leave_its_place_in_an_address(name: str) -> None:
    quoted = quote(name.encode(errors="ignore").decode())
    assert not set(quoted) & set(' ?#&\r\n%+\\"') - {"%"}
    assert quoted.isascii()
