"""How long the certificates of K3s are good for: read from the files as openssl reads them, and judged by days."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.runtime.context import Context
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.finding import Finding, Level
from tasks.k3s.agent.certificates import answer_k3s_certificates, end
from tasks.k3s.certificates import valid
from tests.unit.tasks.k3s.k3s_world import World

CONTEXT = Context("00", None)  # type: ignore[arg-type]  # nothing is sent
WORKER = "k8s-worker-01"


def made(path: Path, days: int) -> float:
    """Make a certificate with openssl; return its end by openssl's own word, in seconds since the epoch."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    more = ["-nodes", "-keyout", f"{path}.key", "-out", str(path), "-subj", "/CN=k3s"]
    subprocess.run([*words, *more, "-days", str(days)], check=True, capture_output=True)
    asked = ["openssl", "x509", "-noout", "-enddate", "-in", str(path)]
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    found = datetime.strptime(said, "notAfter=%b %d %H:%M:%S %Y GMT")  # noqa: DTZ007  # set below
    return found.replace(tzinfo=UTC).timestamp()


def read(folder: Path) -> dict[str, Any]:
    return answer_k3s_certificates({"folders": [str(folder)]}, CONTEXT)


@pytest.mark.parametrize("days", [1, 42, 365, 3650, 20_000])
def test_the_end_of_a_certificate_is_what_openssl_says(tmp_path: Path, days: int) -> None:
    """After 2049 the time has another form (RFC 5280, 4.1.2.5)."""
    path = tmp_path / "client-kubelet.crt"
    ends = made(path, days)
    assert read(tmp_path)["ends"] == {str(path): ends}


def test_of_a_chain_the_first_is_told_and_keys_are_not_opened(tmp_path: Path) -> None:
    leaf, authority = tmp_path / "leaf", tmp_path / "authority"
    ends = made(leaf, 7)
    made(authority, 3000)
    (tmp_path / "serving.crt").write_bytes(leaf.read_bytes() + authority.read_bytes())
    (tmp_path / "client.key").mkdir()
    assert read(tmp_path)["ends"] == {str(tmp_path / "serving.crt"): ends}


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert read(tmp_path / "server")["ends"] == {}


@pytest.mark.parametrize(
    "text", ["", "nothing", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_told_by_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.crt").write_text(text)
    with pytest.raises(AgentError, match=r"broken\.crt") as caught:
        read(tmp_path)
    assert "Traceback" not in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_of_a_host_make_more_than_an_error(der: bytes) -> None:
    try:
        end(der)
    except (ValueError, IndexError):
        return
    raise AssertionError("random bytes are a certificate")


def judged(**certificates: int) -> Finding:
    world = World.healthy()
    named = {
        name.replace("__", "/").replace("_", "-") + ".crt": days
        for name, days in certificates.items()
    }
    world.hosts[WORKER].certificates = named
    return valid(world.live().hosts[WORKER])


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (365, Level.OK),
        (90, Level.OK),
        (89, Level.WARN),
        (14, Level.WARN),
        (13, Level.CRITICAL),
        (-3, Level.CRITICAL),
    ],
)
def test_days_decide_and_a_restart_is_the_way_out(days: int, level: Level) -> None:
    found = judged(agent__client_kubelet=days, agent__serving_kubelet=400)
    assert (found.level, found.host) == (level, WORKER)
    assert found.message.startswith("agent/client-kubelet.crt end")
    assert ("kbz restart k3s --limit k8s-worker-01" in found.hint) == (level is not Level.OK)


def test_an_authority_is_told_a_year_before_and_no_restart_is_promised() -> None:
    found = judged(agent__client_kubelet=300, agent__server_ca=364)
    assert (found.level, "server-ca.crt" in found.message) == (Level.WARN, True)
    assert "kbz restart" not in found.hint
    assert judged(agent__client_kubelet=300, agent__server_ca=3000).level is Level.OK


def test_the_worst_is_told_whichever_ends_first() -> None:
    found = judged(agent__server_ca=100, agent__client_kubelet=10)
    assert (found.level, "client-kubelet" in found.message) == (Level.CRITICAL, True)
    found = judged(agent__server_ca=200, agent__client_kubelet=120)
    assert (found.level, "server-ca" in found.message) == (Level.WARN, True)


def test_a_node_without_certificates_is_unknown() -> None:
    assert judged().level is Level.UNKNOWN


@pytest.mark.parametrize("days", [10**9, -(10**9)])
def test_a_host_may_say_any_time(days: int) -> None:
    assert judged(agent__client_kubelet=days).level is (Level.OK if days > 0 else Level.CRITICAL)
