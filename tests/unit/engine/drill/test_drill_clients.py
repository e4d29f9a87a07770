"""The clients of a drill, with the libraries' own connections replaced: what counts as sent, and what does not."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import pika
import psycopg
import pymysql
import pytest
import redis
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, NackError

from keybuzz.engine.drill.client import client_of
from keybuzz.engine.drill.shelter import stop_on_signals
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Workload, WorkloadKind
from keybuzz.site.drill import NAME, NotSentError, UnconfirmedError
from tasks.galera.service import MYSQL
from tasks.k3s.service import HTTP
from tasks.minio.service import S3
from tasks.patroni.service import POSTGRESQL
from tasks.rabbitmq.drill import client as amqp
from tasks.rabbitmq.service import AMQP
from tasks.redis.service import REDIS
from tests.support.signals import to_main

KINDS = (POSTGRESQL, REDIS, AMQP, MYSQL, S3, HTTP)


def workload(kind: WorkloadKind, port: int = 1) -> Workload:
    return Workload(kind, "127.0.0.1", port, "app", Secret("P", "needle"), "app")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_where_nobody_listens_nothing_was_sent(kind: WorkloadKind) -> None:
    client = client_of(workload(kind))
    with pytest.raises(NotSentError) as caught:
        client.write(1)
    assert "needle" not in str(caught.value)
    client.close()


@pytest.mark.parametrize("kind", KINDS[:-1], ids=lambda kind: kind.name)
def test_a_library_that_is_missing_is_a_sentence(
    kind: WorkloadKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("psycopg", "redis", "pika", "pymysql", "minio"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RefusedError, match="is not installed") as caught:
        client_of(workload(kind))
    assert caught.value.hint.startswith("pip install '")


class Broker:
    """A connection of pika and its channel: keeps messages, and fails when it is told to."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.unread: list[bytes] = []
        self.fail: Exception | None = None
        self.declared: dict[str, Any] = {}
        self.confirms = False
        self.opened = 0

    def __call__(self, parameters: Any) -> Broker:
        self.opened += 1
        self.unread = list(self.messages)
        assert parameters.credentials.password == "needle"
        return self

    def channel(self) -> Broker:
        return self

    def confirm_delivery(self) -> None:
        self.confirms = True

    def queue_declare(self, queue: str, **more: Any) -> None:
        self.declared = {"queue": queue, **more}

    def queue_delete(self, queue: str) -> None:
        self._fail()
        self.messages.clear()

    def basic_publish(
        self, exchange: str, key: str, body: bytes, properties: Any, **_: Any
    ) -> None:
        assert (exchange, key, properties.delivery_mode) == ("", NAME, 2)
        self._fail()
        self.messages.append(body)

    def basic_get(self, queue: str) -> tuple[Any, Any, bytes | None]:
        return None, None, self.unread.pop(0) if self.unread else None

    def close(self) -> None:
        self.confirms = False

    def _fail(self) -> None:
        error, self.fail = self.fail, None
        if error is not None:
            raise error


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(pika, "BlockingConnection", made)
    return made


def test_messages_go_confirmed_to_a_durable_quorum_queue_and_are_read_back(broker: Broker) -> None:
    client = amqp.connect(workload(AMQP))
    client.prepare()
    assert broker.declared == {
        "queue": NAME,
        "durable": True,
        "arguments": {"x-queue-type": "quorum"},
    }
    for number in (1, 2):
        client.write(number)
        assert broker.confirms
    client.close()
    assert client.read() == {1, 2}
    assert broker.messages == [b"1", b"2"], "reading leaves them there"


@pytest.mark.parametrize("error", [NackError([]), AMQPConnectionError("gone")])
def test_a_publish_that_is_not_confirmed_is_unknown_and_the_next_one_connects_anew(
    broker: Broker, error: Exception
) -> None:
    client = amqp.connect(workload(AMQP))
    client.write(1)
    broker.fail = error
    with pytest.raises(UnconfirmedError):
        client.write(2)
    client.write(3)
    assert broker.opened == 2


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pika raises then is none of its AMQPError: it once ended the writer's thread, and the drill with it."""
    monkeypatch.setattr(amqp, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = amqp.connect(workload(AMQP, server.getsockname()[1]))
        with pytest.raises(NotSentError):
            client.write(1)


def test_a_queue_that_is_not_there_is_already_removed_and_another_refusal_is_told(
    broker: Broker,
) -> None:
    client = amqp.connect(workload(AMQP))
    broker.fail = ChannelClosedByBroker(404, "NOT_FOUND")
    client.remove()
    broker.fail = ChannelClosedByBroker(403, "ACCESS_REFUSED")
    with pytest.raises(UnconfirmedError):
        client.remove()


class Database:
    """A connection and cursor of PyMySQL."""

    def __init__(self) -> None:
        self.rows: list[tuple[int]] = []
        self.statements: list[str] = []
        self.fail: Exception | None = None
        self.options: dict[str, Any] = {}

    def connect(self, **options: Any) -> Database:
        self.options = options
        return self

    def cursor(self) -> Database:
        return self

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, statement: str, values: tuple[int, ...] = ()) -> None:
        error, self.fail = self.fail, None
        if error is not None:
            raise error
        self.statements.append(statement)
        if statement.startswith("insert"):
            self.rows.append((values[0],))

    def fetchall(self) -> list[tuple[int]]:
        return self.rows

    def close(self) -> None: ...


def test_rows_go_to_a_table_that_galera_replicates_each_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = Database()
    monkeypatch.setattr(pymysql, "connect", database.connect)
    client = client_of(workload(MYSQL, 3306))
    client.prepare()
    client.write(1)
    database.fail = pymysql.OperationalError(2013, "Lost connection during query")
    with pytest.raises(UnconfirmedError):
        client.write(2)
    assert client.read() == {1}
    assert database.options["autocommit"] is True
    assert database.options["read_timeout"] > 0
    assert any("primary key) engine=InnoDB" in text for text in database.statements)


def test_redis_is_never_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, ...]] = []

    def execute(self: redis.Redis, *words: str, **_: Any) -> Any:
        told.append(words)
        if words[0] == "SADD" and words[2] == "2":
            raise redis.ConnectionError("gone")
        return [b"1"] if words[0] == "SMEMBERS" else 1

    monkeypatch.setattr(redis.Redis, "execute_command", execute)
    client = client_of(workload(REDIS, 6379))
    client.write(1)
    with pytest.raises(UnconfirmedError):
        client.write(2)
    assert client.read() == {1}
    assert told.count(("SADD", NAME, "2")) == 1


def test_a_postgresql_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from tasks.patroni.drill import client as postgresql

    monkeypatch.setattr(postgresql, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = client_of(workload(POSTGRESQL, silent.getsockname()[1]))
        with pytest.raises(NotSentError, match="timeout expired"):
            client.write(1)
    assert issubclass(psycopg.OperationalError, psycopg.Error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_cuts_a_drill_off(number: signal.Signals) -> None:
    stop = threading.Event()
    said: list[str] = []
    before: Callable[..., Any] | int | None = signal.getsignal(number)
    with stop_on_signals(stop, said.append):
        for _ in range(3):
            to_main(number)
    assert stop.is_set()
    assert len(said) == 3
    assert signal.getsignal(number) == before
