"""What the checks of the entry to MariaDB mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "proxysql.reachable",
        "the host answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "proxysql.listens",
        "ProxySQL listens on every address, its admin port on one",
        "The load balancer does not reach this host, or everybody reaches the admin port.",
        "kbz drift proxysql --limit HOST; docker ps there.",
        follows_here=(
            "base.docker.running",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "proxysql.default-login",
        "admin:admin and stats:stats are refused",
        "Everybody may change where applications are led.",
        "kbz run proxysql",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows_here=(
            "base.docker.running",
            "proxysql.listens",
        ),
    ),
    CheckInfo(
        "proxysql.writer.single",
        "exactly one node takes the writes",
        "Applications write to no member, or to several.",
        "kbz health galera",
        follows_here=(
            "base.docker.running",
            "proxysql.listens",
        ),
        follows=("galera.cluster.one",),
    ),
    CheckInfo(
        "proxysql.writer.raised",
        "no node is raised above the others",
        "A planned restart of Galera that was killed still leads the writes: a ProxySQL that starts leads elsewhere.",
        "kbz run galera",
        levels=(Level.WARN, Level.UNKNOWN),
    ),
    CheckInfo(
        "proxysql.login",
        "the application reaches the writer",
        "An application that comes to this host gets an error.",
        "kbz health galera proxysql",
        follows_here=(
            "base.docker.running",
            "proxysql.listens",
            "proxysql.writer.single",
        ),
        follows=("galera.cluster.one",),
    ),
    CheckInfo(
        "proxysql.monitor",
        "ProxySQL sees all nodes Synced",
        "A node is away, or ProxySQL cannot look.",
        "kbz health galera",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows_here=(
            "base.docker.running",
            "proxysql.listens",
        ),
        follows=(
            "galera.node.synced",
            "galera.member.reachable",
        ),
        read_by=("proxysql.writer.single",),
    ),
    CheckInfo(
        "proxysql.balancer",
        "the application reaches the writer through the provider's load balancer",
        "The official endpoint does not lead where it should, seen from this host.",
        "kbz lb check; kbz lb show",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=("proxysql.login",),
        follows=(
            "proxysql.login",
            "proxysql.listens",
            "proxysql.reachable",
        ),
    ),
    CheckInfo(
        "proxysql.parity",
        "both hosts run the same configuration",
        "Whoever comes by the other host is led elsewhere.",
        "kbz run proxysql",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows=(
            "proxysql.reachable",
            "proxysql.listens",
            "proxysql.writer.single",
        ),
        read_by=("proxysql.writer.single",),
    ),
)
