"""What the checks of the entry to PostgreSQL mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "postgres-proxy.reachable",
        "the host answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "postgres-proxy.backend.single",
        "sessions go to Patroni's primary, and nowhere else",
        "Applications write to no member, or to a replica.",
        "kbz health patroni; docker logs haproxy on the host.",
        follows_here=(
            "base.docker.running",
            "base.containers.restarting",
            "base.containers.paused",
        ),
        follows=("patroni.leader.single",),
    ),
    CheckInfo(
        "postgres-proxy.loaded",
        "HAProxy runs the described configuration",
        "A reload failed, or the file was edited: what runs is not what is described.",
        "kbz drift postgres-proxy --limit HOST",
        follows_here=("postgres-proxy.backend.single",),
    ),
    CheckInfo(
        "postgres-proxy.listens",
        "HAProxy and PgBouncer listen on every address",
        "The load balancer does not reach this host.",
        "kbz drift postgres-proxy --limit HOST; docker ps there.",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows_here=(
            "base.docker.running",
            "postgres-proxy.backend.single",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "postgres-proxy.login",
        "both ports lead the application to the primary",
        "An application that comes to this host gets an error.",
        "kbz health patroni postgres-proxy; docker logs pgbouncer on the host.",
        follows_here=(
            "base.docker.running",
            "postgres-proxy.backend.single",
            "postgres-proxy.listens",
        ),
        follows=("patroni.leader.single",),
    ),
    CheckInfo(
        "postgres-proxy.balancer",
        "the provider's load balancer leads the application to the primary",
        "The official endpoint does not lead where it should, seen from this host.",
        "kbz lb check; kbz lb show",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=("postgres-proxy.login",),
        follows=(
            "patroni.leader.single",
            "postgres-proxy.login",
            "postgres-proxy.listens",
            "postgres-proxy.reachable",
        ),
    ),
    CheckInfo(
        "postgres-proxy.parity",
        "both hosts have the same files",
        "Whoever comes by the other host finds another configuration.",
        "kbz drift postgres-proxy",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows=("postgres-proxy.reachable",),
    ),
)
