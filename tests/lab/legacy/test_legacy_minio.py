"""MinIO as older scripts left it, brought under kbz while an application puts objects.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import urllib3
from minio import Minio

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.secret import sha256
from tests.lab.conftest import Kbz
from tests.lab.ledgers.object_ledger import ADDRESSES
from tests.lab.legacy import daemons
from tests.lab.legacy.old_fleet import OldFleet, accepted_once_and_quiet
from tests.lab.legacy.refusals import Ground, Refused, RefusedStopped, planted, refused
from tests.lab.legacy.story import Converge, Look, Story
from tests.lab.support.endpoints import MINIO

pytestmark = pytest.mark.lab

HOSTS = tuple(ADDRESSES)
DATA = "/opt/keybuzz/minio/data"
FORMAT = f"{DATA}/.minio.sys/format.json"


@pytest.fixture(scope="module")
def old(minio_lab: Kbz, in_full: bool) -> OldFleet:
    """Three old MinIO servers, with objects."""
    made = OldFleet(minio_lab, HOSTS, "minio")
    made.make_ready(bare=in_full)
    made.kbz.good("lab", "legacy", "minio", "--variant", "addresses")
    return made


def content(old: OldFleet, host: str) -> tuple[int, str]:
    """Return the number of the old objects through one node, and a checksum of them."""
    pool = urllib3.PoolManager(timeout=10, retries=False)
    with visiting(NAMESPACES / old.kbz.root.name):
        client = Minio(
            f"{ADDRESSES[host]}:9000",
            access_key="admin-6f2c",
            secret_key=old.secrets()["MINIO_ROOT_PASSWORD"],
            secure=False,
            http_client=pool,
        )
        names = [item.object_name or "" for item in client.list_objects("keybuzz-backups", "old/")]
        read = [client.get_object("keybuzz-backups", name).read() for name in names]
    return len(names), sha256(repr([*zip(names, read, strict=True)]).encode())


STORY = Story(
    ("minio",),
    {"minio": ("MINIO_ROOT_PASSWORD",)},
    "drift/minio-*/container:minio",
    HOSTS,
    60,
    content,
    daemons.of_minio,
    (MINIO,),
)
GROUND = Ground(
    "minio",
    ("minio",),
    DATA,
    "mkdir $1/.minio.sys",
    # A node that does not run cannot tell that it is the described release under another name.
    "minio-01: the cluster was made with the image minio/minio:latest",
)


def written(old: OldFleet, host: str, script: str) -> AbstractContextManager[None]:
    """Write another format.json on a drive for the length of a block."""
    made = f"cp -p {FORMAT} /root/format.json; sed -i '{script}' {FORMAT}"
    return planted(old, host, made, f"cp -p /root/format.json {FORMAT}; rm /root/format.json")


class TestLook(Look):
    story = STORY

    def test_what_stays_is_accepted_once_and_quiet_from_then_on(self, old: OldFleet) -> None:
        """Of all services this one shows it in the shorter ring too."""
        accepted_once_and_quiet(old, "minio", STORY.stays)


class TestRefused(Refused):
    story, ground = STORY, GROUND

    @contextmanager
    def foreign(self, old: OldFleet) -> Iterator[str]:
        own = r's/"id": *"[^"]*"/"id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"/'
        with written(old, "minio-03", own):
            yield "the drive of minio-03 belongs to another deployment"

    @contextmanager
    def newer(self, old: OldFleet) -> Iterator[str]:
        with written(old, "minio-02", r's/"xl": *{"version": *"3"/"xl":{"version":"4"/'):
            yield f"minio-02: {DATA} holds a format.json of version 1/xl/4, which the frozen image does not load"


@pytest.mark.long
class TestRefusedStopped(RefusedStopped):
    story, ground = STORY, GROUND


class TestConverge(Converge):
    story = STORY


@pytest.mark.long
class TestOtherNames:
    def test_drives_by_other_names_are_refused_and_nothing_is_written(self, old: OldFleet) -> None:
        """MinIO's list of drives is its identity: a node that is told another waits for the others for ever."""
        old.make_bare()
        old.kbz.good("lab", "legacy", "minio", "--variant", "names")
        old.kbz.good("adopt", "minio", "--take-credentials", "--confirm", "minio")
        said = refused(old, "minio", stopped=False)
        assert "the cluster was made with the drives http://minio-01.keybuzz.io:9000/data" in said
        assert "let the owner decide" in said
