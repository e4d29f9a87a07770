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
