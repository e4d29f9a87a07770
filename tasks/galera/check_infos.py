"""What the checks of MariaDB Galera mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "galera.member.reachable",
        "the host answers",
        "Nobody could ask this host, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "galera.cluster.one",
        "all members are in one Primary component",
        "A member is away, or there are two clusters.",
        "kbz status; kbz run galera starts what is stopped; after a total stop docs/recover-galera.md.",
        follows=(
            "galera.node.synced",
            "galera.member.reachable",
        ),
    ),
    CheckInfo(
        "galera.node.synced",
        "the node is Synced, Primary and ready",
        "This copy serves nobody.",
        "kbz exec --limit HOST -- docker logs --tail 50 mariadb",
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "galera.bootstrap.flag",
        "no container has the bootstrap flag",
        "Its next start makes a cluster of its own.",
        "kbz run galera",
    ),
    CheckInfo(
        "galera.application.login",
        "the application logs in on this node",
        "The node refuses who should be let in.",
        "kbz drift galera; kbz run galera",
        follows_here=(
            "base.docker.running",
            "galera.node.synced",
            "galera.member.reachable",
        ),
    ),
    CheckInfo(
        "galera.flow_control.paused",
        "writes are not held back",
        "One slow node holds back the writes of all.",
        "Disk and load of the slowest node: kbz health base.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        follows=("base.disk.space",),
    ),
    CheckInfo(
        "galera.settings.live",
        "the server runs with the settled values",
        "The file and the running server differ.",
        "kbz restart galera",
        restart=True,
    ),
    CheckInfo(
        "galera.node.desync",
        "no node was desynced by hand",
        "The node falls behind without holding the others back, and is no copy to rely on.",
        "SET GLOBAL wsrep_desync = OFF on the node.",
        lasting=True,
    ),
    CheckInfo(
        "galera.node.writable",
        "every node takes writes",
        "A node that looks like a spare refuses writes: when the writer is lost, nothing takes over.",
        "SET GLOBAL read_only = OFF on the node.",
        lasting=True,
    ),
    CheckInfo(
        "galera.settings.provider",
        "the provider runs with the described options",
        "Part of the cluster may go on as if it were the whole: two histories.",
        "SET GLOBAL wsrep_provider_options on the node, or kbz restart galera.",
        restart=True,
    ),
    CheckInfo(
        "galera.settings.sql-mode",
        "new sessions refuse wrong values",
        "Values that do not fit are cut and stored in silence.",
        "kbz restart galera",
        restart=True,
    ),
    CheckInfo(
        "galera.accounts.open",
        "every account has a password",
        "An account lets in without a password.",
        "DROP USER, or a password, by its owner.",
    ),
    CheckInfo(
        "galera.data.alike",
        "all nodes hold the same rows, by checksums of their tables (--deep, and after kbz recover)",
        "Nodes answer different rows to the same query, and Galera does not see it.",
        "Stop what writes; docs/recover-galera.md.",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=("galera.member.reachable", "galera.node.synced"),
    ),
    CheckInfo(
        "galera.tables.replicated",
        "every table has an engine that Galera replicates (--deep)",
        "Rows of this table are on one node only, and lost with it.",
        "Its owner copies the rows into a table with ENGINE=InnoDB.",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "galera.probe",
        "a row goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health; kbz lb check",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "proxysql.listens",
            "proxysql.writer.single",
            "proxysql.login",
        ),
    ),
)
