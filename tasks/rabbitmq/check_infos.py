"""What the checks of RabbitMQ mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "rabbitmq.member.reachable",
        "the host answers",
        "Nobody could ask this host, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "rabbitmq.cluster.whole",
        "all nodes run in one cluster",
        "Quorum queues have a replica less; one more failure stops them.",
        "kbz status; kbz run rabbitmq starts what is stopped.",
        follows=(
            "rabbitmq.node.answers",
            "rabbitmq.member.reachable",
        ),
    ),
    CheckInfo(
        "rabbitmq.node.answers",
        "RabbitMQ answers and lets kbz in",
        "This node does not run, or its password is another.",
        "docker logs --tail 20 rabbitmq on the host; kbz run rabbitmq",
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
            "rabbitmq.node.maintenance",
        ),
    ),
    CheckInfo(
        "rabbitmq.node.maintenance",
        "no node is in maintenance mode",
        "The node takes no client, and does not come back by itself.",
        "kbz exec --limit HOST -- docker exec rabbitmq rabbitmq-upgrade revive",
        lasting=True,
    ),
    CheckInfo(
        "rabbitmq.queues.copies",
        "no message that must last is on one node only",
        "Messages of a durable classic queue are gone while their node is away, and lost with it.",
        "Its application declares it with x-queue-type: quorum.",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "rabbitmq.administrators.described",
        "only described users are administrators",
        "An account that no file describes may do everything.",
        "rabbitmqctl set_user_tags NAME, by its owner.",
    ),
    CheckInfo(
        "rabbitmq.cluster.members",
        "the node's cluster has the described members",
        "A stranger is in the cluster, or a member was forgotten.",
        "kbz drift rabbitmq",
    ),
    CheckInfo(
        "rabbitmq.cluster.running",
        "the node sees all members run",
        "From here a member is away.",
        "kbz status",
        follows=(
            "rabbitmq.node.answers",
            "rabbitmq.member.reachable",
        ),
    ),
    CheckInfo(
        "rabbitmq.partitions.none",
        "no member is partitioned from another",
        "Both sides may have gone on: classic objects differ.",
        "kbz restart rabbitmq for the smaller side; the owner decides which.",
        follows=("rabbitmq.member.reachable",),
        lasting=True,
    ),
    CheckInfo(
        "rabbitmq.alarms.none",
        "no memory or disk alarm",
        "Publishers are held back on every node.",
        "Free the disk or the memory of the host that has the alarm.",
        lasting=True,
        follows_here=("base.disk.space",),
    ),
    CheckInfo(
        "rabbitmq.queues.quorum",
        "each quorum queue has a replica to spare",
        "This node may not stop: a queue would lose its majority.",
        "Bring the other members back first.",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows=(
            "rabbitmq.node.answers",
            "rabbitmq.member.reachable",
        ),
    ),
    CheckInfo(
        "rabbitmq.cluster.name",
        "the cluster has the described name",
        "The node is in another cluster.",
        "kbz drift rabbitmq --limit HOST",
    ),
    CheckInfo(
        "rabbitmq.listens.private",
        "AMQP and management listen on the private address only",
        "The ports may be open to everybody, or closed to applications.",
        "kbz drift rabbitmq --limit HOST",
    ),
    CheckInfo(
        "rabbitmq.guest.none",
        "the user guest is not there",
        "Everybody knows its password.",
        "kbz run rabbitmq",
    ),
    CheckInfo(
        "rabbitmq.units.none",
        "no systemd unit starts the container",
        "Docker and a unit both start the same container.",
        "Remove the unit by hand.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
    ),
    CheckInfo(
        "rabbitmq.version.same",
        "all nodes run one version",
        "Features differ from node to node.",
        "kbz plan rabbitmq",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "rabbitmq.partition.handling",
        "what happens when the network splits",
        "Both sides of a split network go on, and classic objects diverge.",
        "The owner decides: rabbitmq.partition_handling in site.yaml.",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "rabbitmq.probe",
        "a message goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health; kbz lb check",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "rabbitmq-proxy.listens",
            "rabbitmq-proxy.login",
            "rabbitmq.alarms.none",
        ),
    ),
)
