"""The controller's memory is bounded, whatever hosts send: measured in a process of its own for each case.

They are forked from one that has described the fleet, and its peak is counted for each of them.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOST = 200
"""Megabytes, for all: Python, the product, the descriptions of the fleet, and what the hosts say."""
_START = """\
import json, os, re, sys
from pathlib import Path
sys.path.insert(0, ROOT)
from keybuzz.agent.runtime.frames import REPLY_LIMIT
from tests.unit.support import scripted_hosts as hosts
CLUSTER = ("redis-01", "redis-02", "redis-03")
hosts.fleet()
def frame(payload, kind=b"J"):
    return kind + len(payload).to_bytes(4, "big") + payload
def peak():
    # not ru_maxrss: that one begins with what the parent had at the fork
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024 + lost
lost = 0
for line in sys.stdin:
    had = peak()
    child = os.fork()
    if not child:
        lost = max(had - peak(), 0)  # pages of files are no fork's until it reads them
        exec(json.loads(line))
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("null", flush=True)
"""
_ASK = """
before = peak()
found = hosts.asked(hosts.Script({CLUSTER[0]: reply}), CLUSTER)
print(json.dumps([before, peak(), sorted(found.observations)]))
"""
_SHAPES = {
    "a frame of 60 MB": """
def reply(host, request):
    yield b"J" + (60 << 20).to_bytes(4, "big")
    for _ in range(60):
        yield b"x" * (1 << 20)
""",
    "4 MB of objects": """
def reply(host, request):
    yield frame(b'{"id":1,"result":{"states":[' + b"{}," * 1_300_000 + b'{}],"answers":[]}}')
""",
    "4 MB of names": """
def reply(host, request):
    names = b",".join(b'"%d":0' % n for n in range(99_000))
    yield frame(b'{"id":1,"result":{"states":[],"answers":[{"value":{' + names + b"}}]}}")
""",
    "a text of 4 MB in every answer": """
def reply(host, request):
    result = hosts.result_of(request)
    size = (REPLY_LIMIT - 100_000) // len(result["answers"])
    for answer in result["answers"]:
        answer["value"] = {"text": "\\u2028" * (size // 6)}
    yield frame(json.dumps({"id": 1, "result": result}).encode())
""",
    "events without an end": """
def reply(host, request):
    event = frame(b'{"id":1,"event":{"step":0,"phase":"started","what":"' + b"x" * 100_000 + b'"}}')
    for _ in range(500):
        yield event
""",
    "bytes without an end": """
def reply(host, request):
    piece = frame(b"o" + b"y\\n" * 32_000, b"B")
    for _ in range(5000):
        yield piece
""",
    "100,000 brackets": """
def reply(host, request):
    yield frame(b'{"id":1,"result":' + b"[" * 4_000_000)
""",
}
_YES = """
from keybuzz.engine.change.execute import HostExecution
from keybuzz.model.core.outcome import Outcome
from keybuzz.report.text.execution import execution_lines
def reply(host, request):
    piece = frame(b"o" + b"yes\\n" * 16_000, b"B")
    for _ in range(1000):
        yield piece
    yield frame(b'{"id":1,"result":{"exit_code":0,"timed_out":false}}')
before = peak()
done = hosts.session(reply).execute(["yes"], timeout=60)
told = HostExecution("redis-01", Outcome.OK, 0, done.stdout, done.stderr, "", done.left_out)
lines = sum(1 for line in execution_lines((told,)))
print(json.dumps([before, peak(), [len(done.stdout), done.left_out, lines]]))
"""


_FLEET = """
from keybuzz.transport.replies import share
ALL = tuple(sorted(hosts.fleet()))
ROOM = share(len(ALL))
def in_pieces(result):
    \"\"\"Yield a frame bit by bit: what waits to be read is the hosts' memory, and not the controller's.\"\"\"
    payload = result if isinstance(result, bytes) else json.dumps(result, ensure_ascii=False).encode()
    whole = frame(payload)
    for start in range(0, len(whole), 1 << 16):
        yield whole[start:start + (1 << 16)]
def with_state(request, state):
    result = hosts.result_of(request)
    result["states"][0] = {"present": True, "attributes": {}, **state}
    return {"id": request["id"], "result": result}
"""
_FROM_ALL = {
    "texts of wide letters": """
def reply(host, request):
    yield from in_pieces(with_state(request, {"text": "x" * (ROOM.size - 29_000) + chr(0x1F600)}))
""",
    "as many attributes as there is room for": """
def reply(host, request):
    names = {f"a-{n}": -n - 300 for n in range(ROOM.parts - 2000)}
    yield from in_pieces(with_state(request, {"attributes": names}))
""",
    "as many values of no shape as there is room for": """
def reply(host, request):
    answers = [{"value": {str(n): n + 300}} for n in range(ROOM.parts // 3)]
    yield from in_pieces({"id": request["id"], "result": {"states": [], "answers": answers}})
""",
    "frames of 4 MB": """
WHOLE = b'{"id":1,"result":{"states":[' + b"{}," * 1_300_000 + b'{}],"answers":[]}}'
def reply(host, request):
    yield from in_pieces(WHOLE)
""",
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[subprocess.Popen[str]]:
    code = f"ROOT = {str(ROOT)!r}\n{_START}"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as made:
        yield made
        assert made.stdin is not None
        made.stdin.close()


def measured(loaded: subprocess.Popen[str], code: str) -> tuple[int, int, list[object]]:
    """Run the code in a fork of its own; return the peak before it and after it, and what it tells."""
    assert loaded.stdin is not None
    assert loaded.stdout is not None
    print(json.dumps(code), file=loaded.stdin, flush=True)
    assert select.select([loaded.stdout], [], [], 300)[0], "it has not ended"
    before, peak, told = json.loads(loaded.stdout.readline())
    return before, peak, told


@pytest.mark.parametrize("kind", _SHAPES)
def test_a_host_that_sends_without_measure_costs_little_and_only_its_own_answer(
    loaded: subprocess.Popen[str], kind: str
) -> None:
    before, peak, heard = measured(loaded, _SHAPES[kind] + _ASK)
    assert {"redis-02", "redis-03"} <= set(heard)
    assert peak < MOST, f"{before} MB before it"


@pytest.mark.parametrize("kind", _FROM_ALL)
def test_all_hosts_at_once_cost_no_more(loaded: subprocess.Popen[str], kind: str) -> None:
    ask = """
before = peak()
found = hosts.asked(hosts.Script(dict.fromkeys(ALL, reply)), ALL)
print(json.dumps([before, peak(), [len(ALL), len(found.observations) + len(found.unreachable)]]))
"""
    before, peak, (all_hosts, told) = measured(loaded, f"{_FLEET}{_FROM_ALL[kind]}{ask}")
    print(f"{kind}: {before} MB before it, {peak} MB")
    assert (all_hosts, told) == (48, 48)
    assert peak < MOST, f"{before} MB before it"


def test_a_command_that_never_stops_writing_is_kept_up_to_its_limit_and_counted(
    loaded: subprocess.Popen[str],
) -> None:
    before, peak, told = measured(loaded, _YES)
    kept, left_out, lines = told
    assert kept == 16 << 20
    assert left_out == 1000 * 64_000 - (16 << 20)
    assert lines == kept // 4 + 1
    assert peak < MOST, f"{before} MB before it"
