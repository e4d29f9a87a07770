"""What the checks of PostgreSQL HA mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "patroni.member.reachable",
        "the host answers",
        "Nobody could ask this host, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "patroni.leader.single",
        "exactly one member leads",
        "Nobody takes writes, or two do.",
        "kbz status; kbz run patroni starts stopped members together and deletes nothing.",
        follows=("base.reachable",),
    ),
    CheckInfo(
        "patroni.member.state",
        "each member leads, or streams near to the leader",
        "This copy is behind or does not run: it cannot take over without loss.",
        "kbz exec --limit HOST -- docker logs --tail 20 patroni",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "patroni.restart.pending",
        "no changed setting waits for a restart",
        "PostgreSQL runs with an older value of a setting.",
        "kbz restart patroni",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "patroni.timeline.same",
        "all members are on one timeline",
        "A member went on alone: its last writes are on no other copy.",
        "Ask the owner before anything is started anew; kbz never rewinds by itself.",
    ),
    CheckInfo(
        "patroni.image.same",
        "all members have the same image",
        "One reference means different images: a failover changes the version.",
        "kbz plan patroni",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "patroni.paused",
        "failover is on",
        "The leader is lost one day, and no member takes over: writes stop until an operator resumes.",
        "kbz exec --limit HOST -- docker exec patroni patronictl -c /etc/patroni/patroni.yml resume",
        lasting=True,
    ),
    CheckInfo(
        "patroni.writer.single",
        "one PostgreSQL takes writes, by its own word",
        "Two servers take writes: those of one are lost.",
        "kbz status; stop the member without the lead, and only it.",
    ),
    CheckInfo(
        "patroni.settings.undescribed",
        "Patroni's store holds only what is described",
        "Settings by hand steer the cluster; a failover or a restart puts them into effect.",
        "patronictl edit-config on a member.",
        levels=(Level.WARN, Level.CRITICAL),
        lasting=True,
    ),
    CheckInfo(
        "patroni.member.tags",
        "no member is tagged away from leading or serving",
        "A member that looks like a spare does not take over, or takes no readers.",
        "kbz run patroni --limit HOST",
        levels=(Level.WARN, Level.CRITICAL),
        lasting=True,
    ),
    CheckInfo(
        "patroni.settings.by-hand",
        "no setting is overridden by ALTER SYSTEM",
        "PostgreSQL runs with other settings than described, such as without waiting for the disk.",
        "ALTER SYSTEM RESET on the member, then SELECT pg_reload_conf().",
        lasting=True,
    ),
    CheckInfo(
        "patroni.slots.inactive",
        "no replication slot is without a reader",
        "The leader keeps WAL for a reader that is gone, until its disk is full.",
        "SELECT pg_drop_replication_slot on the leader, when the reader is gone.",
        levels=(Level.WARN, Level.CRITICAL),
    ),
    CheckInfo(
        "patroni.superusers.described",
        "only described roles are superusers",
        "An account that no file describes may do everything.",
        "Its owner takes it away.",
    ),
    CheckInfo(
        "patroni.probe",
        "a row goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health; kbz lb check",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "patroni.leader.single",
            "postgres-proxy.backend.single",
            "postgres-proxy.listens",
            "postgres-proxy.login",
        ),
    ),
)
