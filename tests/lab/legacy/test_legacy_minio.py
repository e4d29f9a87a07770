"""MinIO as older scripts left it, brought under kbz while an application puts objects.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import pytest
from minio import Minio

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.secret import sha256
from tests.lab.conftest import Kbz
from tests.lab.legacy.old_fleet import (
    OldFleet,
    accepted_once_and_quiet,
    foretold_restarts,
    interrupted,
    running,
)
from tests.lab.support.endpoints import MINIO, OBJECT_ENTRY, Applications
from tests.lab.support.writing import writing

pytestmark = pytest.mark.lab

HOSTS = ("minio-01", "minio-02", "minio-03")


@pytest.fixture(scope="module")
def old(minio_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old MinIO servers, with objects."""
    made = OldFleet(minio_lab, HOSTS, "minio")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "minio", "--variant", "addresses")
    return made


def content(old: OldFleet) -> dict[str, str]:
    """Return a checksum of each old object."""
    with visiting(NAMESPACES / old.kbz.root.name):
        secret = old.secrets()["MINIO_ROOT_PASSWORD"]
        client = Minio(OBJECT_ENTRY, access_key="admin-6f2c", secret_key=secret, secure=False)
        names = [item.object_name or "" for item in client.list_objects("keybuzz-backups", "old/")]
        return {name: sha256(client.get_object("keybuzz-backups", name).read()) for name in names}


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        assert old.foretold("minio")["minio"]["differences"]
        old.looked("plan", "minio", "--limit", old.limit)
        old.looked("drift", "minio", "--limit", old.limit)

    def test_the_live_credentials_are_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        words = ("adopt", "minio", "--take-credentials", "--confirm", "minio")
        taken = old.looked(*words, codes=(0,)).stdout
        assert "take MINIO_ROOT_PASSWORD into minio.env" in taken
        assert old.refusals("minio") == []

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        accepted_once_and_quiet(old, "minio", "drift/minio-*/container:minio")


class TestConverge:
    def test_member_by_member_behind_the_gates_no_object_is_lost(self, old: OldFleet) -> None:
        before, data = running(old), content(old)
        assert len(data) == 60
        foretold = foretold_restarts(old.foretold("minio"))
        with writing(Applications(old.kbz), MINIO) as acknowledged:
            done = old.kbz.good(*old.lifted("minio"), timeout=1200)
        old.untold(done.stdout + done.stderr)
        assert acknowledged
        assert interrupted(before, running(old)) == foretold
        assert content(old) == data

    def test_a_second_run_has_nothing_to_do_and_nothing_old_is_left(self, old: OldFleet) -> None:
        after = running(old)
        done = old.kbz.good("run", "minio", "--limit", old.limit, "--format", "json")
        assert done.json()["plan"]["size"] == 0
        assert running(old) == after
        assert old.strays("minio") == set()
