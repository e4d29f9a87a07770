"""The services in the repository, the smallest first."""

from __future__ import annotations

from tasks.backup.store.archive import archive_of
from tasks.backup.store.galera import GALERA
from tasks.backup.store.k3s import K3S
from tasks.backup.store.minio import MINIO
from tasks.backup.store.own_state import OWN_STATE
from tasks.backup.store.rabbitmq import RABBITMQ
from tasks.backup.store.redis import REDIS

SERVICES = (REDIS, OWN_STATE, RABBITMQ, K3S, GALERA, MINIO)
STORED = tuple(archive_of(stored) for stored in SERVICES)
