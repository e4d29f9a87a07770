"""What the tests of the lab itself share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.support.built import Engine, engine


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """The image builder, with every stand-in."""
    if os.geteuid() != 0:
        pytest.skip("the image builder needs root")
    with engine() as found:
        yield found
