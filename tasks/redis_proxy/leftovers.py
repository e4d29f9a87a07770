"""What older scripts left beside the entry to Redis, by name. Data only."""

from __future__ import annotations

from keybuzz.model.host.retired import retired
from tasks.redis_proxy.values import ROOT, STATUS

LEFTOVERS = retired(
    units=("haproxy-redis-docker.service", "redis-sentinel-watcher.service"),
    containers=("redis-sentinel-watcher",),
    files=(
        "/etc/cron.d/redis-update-master",
        f"{ROOT}/config/haproxy-redis.cfg",
        f"{ROOT}/config/haproxy.cfg",
        f"{ROOT}/bin/watcher.sh",
        f"{STATUS}/STATE",
        f"{STATUS}/current_master",
    ),
    folders=(f"{ROOT}/config", f"{ROOT}/bin", f"{ROOT}/logs"),
)
