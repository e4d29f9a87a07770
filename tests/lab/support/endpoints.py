"""The official endpoints as applications use them: well-known clients, numbered rows, nothing of kbz's own code."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pika
import pika.exceptions
import psycopg2
import pymysql
import redis
import urllib3
from minio import Minio
from minio.error import MinioException
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz

ENTRY = "10.0.0.10"
MYSQL_ENTRY = "10.0.0.20"
OBJECT_ENTRY = "10.0.0.134:9000"
QUEUE = "endpoints"
_SECONDS = 5
_PATIENCE = 60.0
CLIENT_ERRORS = (
    psycopg2.Error,
    redis.RedisError,
    pika.exceptions.AMQPError,
    AMQPConnectorException,
    pymysql.MySQLError,
    MinioException,
    urllib3.exceptions.HTTPError,
    OSError,
    EOFError,
)
"""What the clients say of a server that is not there, or not any more."""


@dataclass(frozen=True)
class Endpoint:
    """One service at its official address."""

    name: str
    put: Callable[[Mapping[str, str], int], None]
    """Write a number and return when the service has acknowledged it."""
    numbers: Callable[[Mapping[str, str]], set[int]]
    """Return the numbers that are there."""


@dataclass(frozen=True)
class Applications:
    """Whoever knows the credentials, in the lab's network."""

    kbz: Kbz

    def put(self, endpoint: Endpoint, number: int) -> None:
        """Write it until it is acknowledged: an application connects again, and writes the same number twice."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with visiting(NAMESPACES / self.kbz.root.name):
                    return endpoint.put(self._secrets(), number)
            except CLIENT_ERRORS:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def numbers(self, endpoint: Endpoint) -> set[int]:
        with visiting(NAMESPACES / self.kbz.root.name):
            return endpoint.numbers(self._secrets())

    def _secrets(self) -> dict[str, str]:
        store = load_credentials(self.kbz.root / "credentials")
        return {name: store[name].reveal() for name in store}


def _postgres(port: int) -> Endpoint:
    def connect(secrets: Mapping[str, str]) -> Any:
        connection = psycopg2.connect(
            host=ENTRY,
            port=port,
            user=secrets["POSTGRES_APP_USER"],
            password=secrets["POSTGRES_APP_PASS"],
            dbname=secrets["POSTGRES_DB"],
            connect_timeout=_SECONDS,
        )
        connection.autocommit = True
        return connection

    table = f"endpoint_{port}"

    def put(secrets: Mapping[str, str], number: int) -> None:
        with closing(connect(secrets)) as connection, connection.cursor() as cursor:
            cursor.execute(f"create table if not exists {table} (number bigint primary key)")
            cursor.execute(f"insert into {table} values (%s) on conflict do nothing", (number,))

    def numbers(secrets: Mapping[str, str]) -> set[int]:
        with closing(connect(secrets)) as connection, connection.cursor() as cursor:
            cursor.execute(f"select number from {table}")
            return {row[0] for row in cursor.fetchall()}

    return Endpoint(f"PostgreSQL {ENTRY}:{port}", put, numbers)


def _redis_client(secrets: Mapping[str, str]) -> Any:
    return redis.Redis(
        ENTRY,
        6379,
        password=secrets["REDIS_PASSWORD"],
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
    )


def _redis_put(secrets: Mapping[str, str], number: int) -> None:
    with closing(_redis_client(secrets)) as client:
        client.sadd("endpoints", number)
        # What only the master has may be lost by a failover; an application that minds asks for a copy.
        if client.wait(1, _SECONDS * 1000) < 1:
            raise redis.TimeoutError(f"no replica has {number}")


def _redis_numbers(secrets: Mapping[str, str]) -> set[int]:
    with closing(_redis_client(secrets)) as client:
        return {int(member) for member in client.smembers("endpoints")}


def _amqp(secrets: Mapping[str, str]) -> Any:
    login = pika.PlainCredentials(secrets["RABBITMQ_USER"], secrets["RABBITMQ_PASSWORD"])
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            ENTRY, 5672, credentials=login, socket_timeout=_SECONDS, blocked_connection_timeout=30
        )
    )


def _amqp_put(secrets: Mapping[str, str], number: int) -> None:
    with closing(_amqp(secrets)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        lasting = pika.BasicProperties(delivery_mode=2)
        # It raises when the quorum has not confirmed it.
        channel.basic_publish("", QUEUE, str(number).encode(), lasting, mandatory=True)


def _amqp_numbers(secrets: Mapping[str, str]) -> set[int]:
    """Read all messages; they go back into the queue when the connection closes without an acknowledgement."""
    with closing(_amqp(secrets)) as connection:
        channel = connection.channel()
        found: set[int] = set()
        while True:
            method, _, body = channel.basic_get(QUEUE)
            if method is None:
                return found
            found.add(int(body))


def _mysql(secrets: Mapping[str, str]) -> Any:
    return pymysql.connect(
        host=MYSQL_ENTRY,
        port=3306,
        user=secrets["MARIADB_APP_USER"],
        password=secrets["MARIADB_APP_PASSWORD"],
        database=secrets["MARIADB_DB"],
        connect_timeout=_SECONDS,
        read_timeout=30,
        autocommit=True,
    )


def _mysql_put(secrets: Mapping[str, str], number: int) -> None:
    with closing(_mysql(secrets)) as connection, connection.cursor() as cursor:
        cursor.execute("create table if not exists endpoint (number bigint primary key)")
        cursor.execute("insert ignore into endpoint values (%s)", (number,))


def _mysql_numbers(secrets: Mapping[str, str]) -> set[int]:
    with closing(_mysql(secrets)) as connection, connection.cursor() as cursor:
        cursor.execute("select number from endpoint")
        return {int(row[0]) for row in cursor.fetchall()}


def _objects(secrets: Mapping[str, str]) -> Minio:
    pool = urllib3.PoolManager(timeout=_SECONDS, retries=False)
    return Minio(
        OBJECT_ENTRY,
        access_key=secrets["MINIO_ROOT_USER"],
        secret_key=secrets["MINIO_ROOT_PASSWORD"],
        secure=False,
        http_client=pool,
    )


def _object_put(secrets: Mapping[str, str], number: int) -> None:
    name, content = f"endpoints/{number}", str(number).encode()
    bucket = secrets["MINIO_BUCKET"]
    _objects(secrets).put_object(bucket, name, io.BytesIO(content), len(content))


def _object_numbers(secrets: Mapping[str, str]) -> set[int]:
    client, bucket = _objects(secrets), secrets["MINIO_BUCKET"]
    names = [item.object_name or "" for item in client.list_objects(bucket, prefix="endpoints/")]
    return {int(client.get_object(bucket, name).read()) for name in names}


REDIS = Endpoint(f"Redis {ENTRY}:6379", _redis_put, _redis_numbers)
RABBITMQ = Endpoint(f"RabbitMQ {ENTRY}:5672", _amqp_put, _amqp_numbers)
MARIADB = Endpoint(f"MariaDB {MYSQL_ENTRY}:3306", _mysql_put, _mysql_numbers)
MINIO = Endpoint(f"MinIO {OBJECT_ENTRY}", _object_put, _object_numbers)
ENDPOINTS = (_postgres(5432), _postgres(6432), REDIS, RABBITMQ, MINIO, MARIADB)
