"""Which node of MinIO is the source of its objects."""

from __future__ import annotations

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from tasks.backup.store import minio
from tests.unit.support.site_values import memory_site

SITE = memory_site()
GOOD = {"denied": False, "deployment": "one", "frozen": False, "slow": False}


def nodes(*told: dict[str, object] | None) -> dict[str, Answer]:
    found = {}
    for server, said in zip(SITE.members("minio"), told, strict=True):
        name = f"backup.minio.{server.name}"
        found[name] = Answer(name, problem="no route") if said is None else Answer(name, said)
    return found


def test_the_first_that_serves_is_the_source_and_no_secret_is_in_an_argument() -> None:
    found = minio.choose(SITE, nodes({**GOOD, "slow": True}, GOOD, GOOD))
    assert (found.host, found.cluster) == ("minio-02", "one")
    [work] = minio.fill(SITE, found, "", "/folder")
    password = SITE.secret("MINIO_ROOT_PASSWORD").reveal()
    assert password in work.stdin
    assert not [word for word in work.argv if password in word]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((None, None, {**GOOD, "denied": True}), "no route.*does not let kbz in"),
        ((GOOD, {**GOOD, "deployment": "two"}, GOOD), "no node of MinIO"),
        (({**GOOD, "frozen": True}, None, None), "holds requests back"),
    ],
)
def test_nodes_that_are_not_one_deployment_are_no_source(
    told: tuple[dict[str, object] | None, ...], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        minio.choose(SITE, nodes(*told))
