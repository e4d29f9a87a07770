"""What the agent says of RabbitMQ's data: the feature flags that only a newer RabbitMQ knows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.runtime.errors import AgentError
from tasks.rabbitmq.agent import rabbitmq as kind
from tasks.rabbitmq.formats import FORMATS
from tasks.rabbitmq.service.resources import RabbitmqData

CONTEXT: Any = SimpleNamespace()
NEWER = FORMATS.newer_than("rabbitmq:3.12.14-management")
OLD = "[classic_mirrored_queue_version,\n feature_flags_v2,\n restart_streams].\n"
NEW = "[feature_flags_v2, of_a_plugin,\n message_containers,'rabbitmq_4.0.0'].\n"


def newer(data: Path) -> list[str]:
    state = kind.read_rabbitmq_data(RabbitmqData(str(data), NEWER).query(), CONTEXT)
    found: list[str] = state["attributes"]["newer"]
    return found


def nodes(data: Path, **files: str) -> Path:
    (data / "mnesia/rabbit@queue-01").mkdir(parents=True)
    for name, text in files.items():
        (data / f"mnesia/rabbit@{name}-feature_flags").write_text(text)
    return data


def test_flags_that_the_image_knows_are_no_difference(tmp_path: Path) -> None:
    assert newer(nodes(tmp_path, one=OLD)) == []


def test_flags_of_a_newer_series_are_told(tmp_path: Path) -> None:
    found = newer(nodes(tmp_path, one=OLD, another=NEW))
    assert found == ["message_containers", "rabbitmq_4.0.0"]
    assert FORMATS.way_out(found[-1]).startswith("put RabbitMQ 4.0 or later into versions.yaml")


@pytest.mark.parametrize("folder", ["", "mnesia"])
def test_no_data_contradicts_nothing(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    assert newer(tmp_path) == []
    assert newer(tmp_path / "not there") == []


def test_data_is_never_changed(tmp_path: Path) -> None:
    with pytest.raises(AgentError) as caught:
        kind.write_rabbitmq_data(RabbitmqData(str(tmp_path), NEWER).order(), CONTEXT)
    assert caught.value.outcome == "refused"


def test_whose_tables_lie_there_and_who_made_its_cluster(tmp_path: Path) -> None:
    for name in ("rabbit@queue-01", "rabbit@queue-01-plugins-expand"):
        (tmp_path / "mnesia" / name).mkdir(parents=True)
    (tmp_path / "mnesia/rabbit@queue-01.pid").write_text("7")
    (tmp_path / "mnesia/rabbit@queue-01/cluster_nodes.config").write_text(
        "{['rabbit@queue-01','rabbit@queue-02'],['rabbit@queue-01']}.\n"
    )
    state = kind.read_rabbitmq_data(RabbitmqData(str(tmp_path), NEWER).query(), CONTEXT)
    assert state["attributes"]["nodes"] == ["rabbit@queue-01"]
    assert state["attributes"]["formed"] == ["rabbit@queue-01", "rabbit@queue-02"]
