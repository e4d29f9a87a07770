"""MinIO in the repository of backup-01: every version of every object, in and out, and into empty buckets.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.object_ledger import ENTRY, ObjectLedger
from tests.lab.ledgers.stored import HOST, RESTORED, STORE, BackedUp
from tests.lab.support.watching import watching

pytestmark = [pytest.mark.lab, pytest.mark.long]

LIFT = ("--lift-freeze", "minio", "--reason", "the owner said so on the phone")
KEYS = ("a/plain one", "a", "two + ü", "gone")


@pytest.fixture(scope="module")
def minio(minio_lab: Kbz) -> BackedUp:
    """MinIO stands, whatever ran before, and backup-01 has its base."""
    minio_lab.good("run", "base", "--limit", "backup-01")
    minio_lab.good("run", "minio", "--limit", "minio", *LIFT)
    until(lambda: minio_lab("health", "minio", "--limit", "minio").code == 0, 60, "MinIO is whole")
    return BackedUp(minio_lab, "minio", "keybuzz-backups")


@pytest.fixture(scope="module")
def ledger(minio: BackedUp) -> ObjectLedger:
    return ObjectLedger(minio.kbz)


def versions(ledger: ObjectLedger) -> list[tuple[Any, ...]]:
    """Return each version of each object: its name, whether it is a marker, and its content."""
    with ledger.node() as client:
        found = client.list_objects(ledger.bucket, include_version=True, recursive=True)
        return [
            (item.object_name, item.is_delete_marker, b"")
            if item.is_delete_marker
            else (
                item.object_name,
                False,
                client.get_object(ledger.bucket, item.object_name, version_id=item.version_id).data,
            )
            for item in found
        ]


class TestMinio:
    def test_every_version_is_taken_and_verified(
        self, minio: BackedUp, ledger: ObjectLedger
    ) -> None:
        with ledger.node() as client:
            for number in range(2):
                for key in KEYS:
                    content = f"{key} {number} ".encode() * 3000
                    client.put_object(ledger.bucket, key, io.BytesIO(content), len(content))
            client.remove_object(ledger.bucket, "gone")
        with watching("cmdline") as lines:
            [copy] = minio.taken()
        minio.require_unseen(lines, "backup.env", "minio.env")
        assert (copy["state"], copy["wrong"], copy["verified"]) == ("whole", None, None)
        assert f'"source": "{ENTRY}"' in minio.kbz.on(HOST, f"cat {STORE}/catalogue.json")
        minio.kbz.good("backup", "verify", "minio")
        assert minio.listed()[-1]["verified"]
        [drilled] = minio.kbz.good("drill", "restore", "minio", "--format", "json").json()[
            "services"
        ]
        assert drilled["problem"] is None
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")

    def test_every_version_is_back_in_empty_buckets(
        self, minio: BackedUp, ledger: ObjectLedger
    ) -> None:
        before = versions(ledger)
        assert len(before) > 2 * len(KEYS)
        with watching("cmdline") as lines:
            done = minio.restore()
        minio.require_unseen(lines, "backup.env", "minio.env")
        assert done.code == 0, done.stdout + done.stderr
        print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        put = f"python3 {RESTORED}/minio/objects.py put {RESTORED}/minio 10.0.0.134 9000"
        typed = f"echo '{ledger.user}:{ledger.password}' | {put} 2>&1"
        assert "is not empty; nothing was put" in minio.kbz.on(HOST, f"{typed} || true")
        with ledger.node() as client:
            buckets = [bucket.name for bucket in client.list_buckets()]
            for bucket in buckets:
                found = client.list_objects(bucket, include_version=True, recursive=True)
                for item in list(found):
                    client.remove_object(bucket, item.object_name, version_id=item.version_id)
        minio.kbz.on(HOST, typed)
        assert versions(ledger) == before
        minio.take_away()

    def test_no_secret_is_left_in_a_process(self, minio: BackedUp) -> None:
        values = minio.secrets("backup.env", "minio.env")
        assert values
        text = minio.kbz.on(HOST, "ps axwwe; cat /proc/*/environ")
        assert not [value for value in values if value in text]


class TestDamage:
    def test_a_damaged_one_is_found_by_verify_and_refused_by_restore(self, minio: BackedUp) -> None:
        minio.damage()
        assert minio.kbz("backup", "verify", "minio").code == 1
        assert minio.listed()[-1]["wrong"]
        refused = minio.restore()
        assert refused.code == 3
        assert "damaged" in refused.stderr
