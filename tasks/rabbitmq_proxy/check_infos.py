"""What the checks of the entry to RabbitMQ mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "rabbitmq-proxy.reachable",
        "the host answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "rabbitmq-proxy.loaded",
        "HAProxy runs the described configuration",
        "A reload failed, or the file was edited: what runs is not what is described.",
        "kbz drift rabbitmq-proxy --limit HOST",
        follows_here=("rabbitmq-proxy.listens",),
    ),
    CheckInfo(
        "rabbitmq-proxy.listens",
        "HAProxy listens on every address",
        "The load balancer does not reach this host.",
        "kbz drift rabbitmq-proxy --limit HOST; docker ps there.",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows_here=(
            "base.docker.running",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "rabbitmq-proxy.login",
        "the application gets in by AMQP",
        "An application that comes to this host gets an error.",
        "kbz health rabbitmq rabbitmq-proxy",
        follows_here=(
            "base.docker.running",
            "rabbitmq-proxy.listens",
        ),
    ),
    CheckInfo(
        "rabbitmq-proxy.backend.nodes",
        "connections go to all nodes",
        "A node gets no connections from here.",
        "kbz health rabbitmq",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=("rabbitmq-proxy.listens",),
        follows=(
            "rabbitmq.node.answers",
            "rabbitmq.member.reachable",
        ),
    ),
    CheckInfo(
        "rabbitmq-proxy.balancer",
        "the application gets in through the provider's load balancer",
        "The official endpoint does not lead where it should, seen from this host.",
        "kbz lb check; kbz lb show",
        levels=(
            Level.WARN,
            Level.CRITICAL,
        ),
        follows_here=("rabbitmq-proxy.login",),
        follows=(
            "rabbitmq-proxy.login",
            "rabbitmq-proxy.listens",
            "rabbitmq-proxy.reachable",
        ),
    ),
    CheckInfo(
        "rabbitmq-proxy.parity",
        "both hosts have the same file",
        "Whoever comes by the other host finds another configuration.",
        "kbz drift rabbitmq-proxy",
        levels=(
            Level.CRITICAL,
            Level.UNKNOWN,
        ),
        follows=("rabbitmq-proxy.reachable",),
    ),
)
