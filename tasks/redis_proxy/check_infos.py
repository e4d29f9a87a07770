"""What the checks of the entry to Redis mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "redis-proxy.reachable",
        "the host answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "redis-proxy.backend.single",
        "sessions go to the master that Sentinel names",
        "Applications write to no member, or to a replica.",
        "kbz health redis; docker logs haproxy-redis on the host.",
        follows_here=(
            "base.docker.running",
            "base.containers.restarting",
            "base.containers.paused",
            "redis-proxy.watcher",
        ),
        follows=(
            "redis.master.single",
            "redis.sentinel.agree",
            "redis.sentinel.answers",
            "redis.member.reachable",
        ),
    ),
    CheckInfo(
        "redis-proxy.loaded",
        "HAProxy runs the described configuration",
        "A reload failed, or the file was edited: what runs is not what is described.",
        "kbz drift redis-proxy --limit HOST",
        follows_here=("redis-proxy.backend.single",),
    ),
    CheckInfo(
        "redis-proxy.listens",
        "HAProxy listens on every address",
        "The load balancer does not reach this host.",
        "kbz drift redis-proxy --limit HOST; docker ps there.",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows_here=(
            "base.docker.running",
            "redis-proxy.backend.single",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "redis-proxy.watcher",
        "the watcher follows Sentinel",
        "The next failover is not followed here.",
        "journalctl -u redis-watcher on the host.",
        follows_here=("base.units.failed",),
        follows=("redis.sentinel.agree",),
    ),
    CheckInfo(
        "redis-proxy.write",
        "this host leads an application to the master",
        "An application that comes to this host gets an error.",
        "kbz health redis redis-proxy",
        follows_here=(
            "base.docker.running",
            "redis-proxy.backend.single",
            "redis-proxy.listens",
        ),
        follows=("redis.master.single",),
    ),
    CheckInfo(
        "redis-proxy.balancer",
        "the provider's load balancer leads an application to the master",
        "The official endpoint does not lead where it should, seen from this host.",
        "kbz lb check; kbz lb show",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=("redis-proxy.write",),
        follows=(
            "redis.master.single",
            "redis-proxy.write",
            "redis-proxy.listens",
            "redis-proxy.reachable",
        ),
    ),
    CheckInfo(
        "redis-proxy.parity",
        "both hosts have the same files",
        "Whoever comes by the other host finds another configuration.",
        "kbz drift redis-proxy",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows=("redis-proxy.reachable",),
    ),
)
