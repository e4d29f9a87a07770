"""Receivers on loopback, one of each kind for a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.engine.notify.receivers import Post, mail_server, web_server


@pytest.fixture
def mail() -> Iterator[Post]:
    with mail_server() as post:
        yield post


@pytest.fixture
def web() -> Iterator[Post]:
    with web_server() as post:
        yield post
