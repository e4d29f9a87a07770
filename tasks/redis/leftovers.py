"""What older scripts left beside Redis and Sentinel, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired
from tasks.redis.values import CONFIGURATION, ROOT

LEFTOVERS = retired(
    units=("redis-docker.service", "redis-sentinel-docker.service"),
    files=(
        "/etc/cron.d/redis-update-master",
        f"{CONFIGURATION}/sentinel.conf",
        f"{ROOT}/sentinel/sentinel.conf",
        f"{ROOT}/status/STATE",
    ),
    folders=(f"{ROOT}/sentinel", f"{ROOT}/status", f"{ROOT}/log"),
)
