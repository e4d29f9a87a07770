"""What the checks of Redis with Sentinel mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "redis.member.reachable",
        "the host answers",
        "Nobody could ask this host, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "redis.master.single",
        "exactly one node is master",
        "Nobody takes writes, or two do.",
        "kbz status; Sentinel settles who is master, kbz run redis starts what is stopped.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("base.reachable",),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.sentinel.agree",
        "all Sentinels name the one master",
        "The entry may lead elsewhere than to the master.",
        "kbz health redis redis-proxy in half a minute; a failover may be under way.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("redis.master.single",),
        read_by=(
            "redis.node.answers",
            "redis.sentinel.answers",
        ),
    ),
    CheckInfo(
        "redis.node.answers",
        "Redis answers and lets kbz in",
        "This copy does not run, or its password is another.",
        "docker ps -a and docker logs redis on the host; kbz run redis",
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "redis.replica.link",
        "each replica copies from the master",
        "This copy does not get what is written.",
        "docker logs redis on the host; kbz drift redis",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        follows=(
            "redis.master.single",
            "redis.node.answers",
            "redis.member.reachable",
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.aof.enabled",
        "the append-only file is written",
        "A power cut loses more than a second of writes.",
        "kbz drift redis --limit HOST",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows_here=(
            "base.disk.space",
            "base.disk.read-only",
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.memory.limit",
        "maxmemory is set",
        "Redis grows until the host has no memory.",
        "The owner decides: redis.maxmemory in site.yaml.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.sentinel.answers",
        "Sentinel answers",
        "One voice less when a new master must be chosen.",
        "docker ps -a and docker logs redis-sentinel on the host; kbz run redis",
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "redis.sentinel.quorum",
        "Sentinel reaches its quorum and knows all others",
        "A failover may not be decided.",
        "kbz status; stopped Sentinels are started by kbz run redis",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        follows=(
            "redis.sentinel.answers",
            "redis.node.answers",
            "redis.member.reachable",
            "redis.master.single",
        ),
        read_by=("redis.sentinel.answers",),
    ),
    CheckInfo(
        "redis.sentinel.name",
        "Sentinel monitors one name only",
        "Something else is monitored too: a leftover, or a second cluster.",
        "redis-cli -p 26379 SENTINEL MASTERS on the host; remove it by hand.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("redis.sentinel.answers",),
    ),
    CheckInfo(
        "redis.units.none",
        "no systemd unit starts the containers",
        "Docker and a unit both start the same container.",
        "Remove the unit by hand.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
    ),
    CheckInfo(
        "redis.version.same",
        "all nodes run one version",
        "A failover changes the version.",
        "kbz plan redis",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.takeover",
        "a replica could take over now",
        "The master is lost one day, and Sentinel finds no replica to promote: writes stop.",
        "kbz health redis names what each replica lacks.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("redis.node.answers", "redis.member.reachable", "redis.replica.link"),
        lasting=True,
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.replica.priority",
        "no replica is kept from promotion",
        "Sentinel never promotes this replica.",
        "CONFIG SET replica-priority 100 on it.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.users.described",
        "only the described user is let in",
        "An account that no file describes may read and write.",
        "ACL DELUSER NAME, by its owner.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        read_by=("redis.node.answers",),
    ),
    CheckInfo(
        "redis.probe",
        "a key goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health; kbz lb check",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "redis.master.single",
            "redis-proxy.backend.single",
            "redis-proxy.listens",
        ),
    ),
)
