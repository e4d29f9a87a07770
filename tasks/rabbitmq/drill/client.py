"""Messages to a quorum queue of RabbitMQ, each confirmed by the broker (RMQ: confirmed publishes)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import PATIENCE, Client, NotSentError, UnconfirmedError

_FAULTS = (AMQPError, AMQPConnectorException, OSError)
"""A handshake that lasts too long is none of pika's AMQPError."""
_HEARTBEAT = 2
"""Seconds. A confirmation that never comes is ended by missing heartbeats; pika adds five seconds to it."""
_NOT_FOUND = 404


def connect(workload: Workload) -> Client:
    """Return a client that connects at its first use."""
    return AmqpClient(workload)


class AmqpClient:
    """One channel in confirm mode."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._connection: Any = None
        self._channel: Any = None

    def prepare(self) -> None:
        """Declare the queue, empty."""
        self.remove()
        self._do(
            lambda channel: channel.queue_declare(
                self._workload.place, durable=True, arguments={"x-queue-type": "quorum"}
            )
        )

    def write(self, number: int) -> None:
        """Publish one persistent message; pika returns when the broker has confirmed it, and raises when it refuses."""
        persistent = pika.BasicProperties(delivery_mode=2)
        self._do(
            lambda channel: channel.basic_publish(
                "", self._workload.place, str(number).encode(), persistent, mandatory=True
            )
        )

    def read(self) -> frozenset[int]:
        """Return every number in the queue; the messages stay there, unacknowledged, until the connection closes."""
        found: set[int] = set()
        while (
            body := self._do(lambda channel: channel.basic_get(self._workload.place))[2]
        ) is not None:
            found.add(int(body))
        self.close()
        return frozenset(found)

    def remove(self) -> None:
        """Delete the queue; one that is not there is fine."""
        try:
            self._do(lambda channel: channel.queue_delete(self._workload.place))
        except UnconfirmedError as error:
            cause = error.__cause__
            if not (isinstance(cause, ChannelClosedByBroker) and cause.reply_code == _NOT_FOUND):
                raise

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(*_FAULTS):
                connection.close()

    def _do(self, act: Any) -> Any:
        channel = self._open()
        try:
            return act(channel)
        except _FAULTS as error:
            self.close()
            raise UnconfirmedError(_sentence(error)) from error

    def _open(self) -> Any:
        if self._channel is None:
            asked = self._workload
            try:
                self._connection = pika.BlockingConnection(
                    pika.ConnectionParameters(
                        host=asked.address,
                        port=asked.port,
                        virtual_host=asked.database or "/",
                        credentials=pika.PlainCredentials(asked.user, asked.password.reveal()),
                        heartbeat=_HEARTBEAT,
                        socket_timeout=PATIENCE,
                        stack_timeout=PATIENCE,
                        blocked_connection_timeout=PATIENCE,
                        client_properties={"connection_name": asked.place},
                    )
                )
                self._channel = self._connection.channel()
                self._channel.confirm_delivery()
            except _FAULTS as error:
                self.close()
                raise NotSentError(_sentence(error)) from error
        return self._channel


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
