"""What the checks of K3s mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "k3s.member.reachable",
        "the host answers",
        "Nobody could ask this host, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "k3s.nodes.ready",
        "all eight nodes are Ready, by the conditions of the API's objects",
        "Pods of the node that is away have moved or wait.",
        "kbz drift k3s; kbz run k3s starts what is stopped.",
        follows=(
            "k3s.node.ready",
            "k3s.api.ready",
            "k3s.member.reachable",
        ),
    ),
    CheckInfo(
        "k3s.cluster.one",
        "all servers belong to one cluster",
        "Two clusters carry the same names; what runs where depends on whom you ask.",
        "The owner decides which one stays; kbz changes neither.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("k3s.api.ready",),
        stands=True,
    ),
    CheckInfo(
        "k3s.etcd.members",
        "the three masters are full members of etcd",
        "One more failure, and the API takes no writes.",
        "kbz drift k3s; kbz run k3s",
        follows=(
            "k3s.api.ready",
            "k3s.member.reachable",
        ),
    ),
    CheckInfo(
        "k3s.node.ready",
        "the node is Ready",
        "It takes no pods, and those on it move after their grace time.",
        "systemctl status k3s k3s-agent on the host; kbz run k3s",
        follows_here=(
            "base.disk.space",
            "base.disk.read-only",
            "k3s.api.ready",
        ),
    ),
    CheckInfo(
        "k3s.api.ready",
        "the API of this master passes /readyz",
        "This master serves no API; two others are needed for writes.",
        "journalctl -u k3s on the host; kbz run k3s",
        follows_here=(
            "base.disk.space",
            "base.disk.read-only",
        ),
    ),
    CheckInfo(
        "k3s.token.sealed",
        "no rotation of the token is left open",
        "This master may hold another token than the cluster's data is sealed with: when it stops, it does not start.",
        "kbz secrets rotate k3s-token goes on, and proves it; until then restart no master.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        stands=True,
    ),
    CheckInfo(
        "k3s.version.frozen",
        "the node runs the frozen version",
        "A node of another version was put there by hand, or an upgrade was cut off.",
        "kbz run k3s --limit HOST",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("k3s.nodes.ready",),
    ),
    CheckInfo(
        "k3s.flannel.private",
        "flannel and the node use the private address",
        "Over the public card no pod reaches another node.",
        "kbz run k3s --limit HOST",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("k3s.nodes.ready",),
    ),
    CheckInfo(
        "k3s.network.reaches",
        "the pods of this node reach those of every other node",
        "Services fail for whoever lands on the wrong node: the hint names the layer that drops the packets.",
        "kbz drift base: 8472/udp and the pods' networks must be let in.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "k3s.node.ready",
            "k3s.member.reachable",
        ),
        read_by=("k3s.nodes.ready",),
    ),
    CheckInfo(
        "k3s.node.schedulable",
        "the node takes pods",
        "The other nodes carry its share: drills, restarts and rolls of other nodes are refused until it takes pods.",
        "k3s kubectl uncordon NODE, when that work is done; kbz run k3s takes back what kbz drained (warn).",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        read_by=("k3s.nodes.ready",),
        stands=True,
        of_others=True,
    ),
    CheckInfo(
        "k3s.node.stranger",
        "the cluster knows no node that is no server of the group",
        "A node that servers.tsv does not know runs pods, or an old one was never deleted.",
        "Correct servers.tsv, or let the owner delete the node.",
        levels=(Level.WARN,),
    ),
    CheckInfo(
        "k3s.ingress.answers",
        "the ingress on this node answers /healthz",
        "The load balancer sends visitors here too, and they get nothing.",
        "k3s kubectl -n ingress-nginx get pods -o wide; kbz run k3s",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows_here=("k3s.node.ready",),
        read_by=("k3s.nodes.ready",),
    ),
    CheckInfo(
        "k3s.ingress.ready",
        "the ingress runs on every node, on the node's own network (K3S-2)",
        "Fewer nodes take visitors than the load balancer believes.",
        "kbz drift k3s",
        follows=(
            "k3s.node.ready",
            "k3s.api.ready",
        ),
    ),
    CheckInfo(
        "k3s.dns.available",
        "CoreDNS is available",
        "Pods find no service by its name.",
        "k3s kubectl -n kube-system logs deployment/coredns",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("k3s.api.ready",),
        read_by=("k3s.api.ready",),
    ),
    CheckInfo(
        "k3s.metrics.available",
        "the metrics API is available",
        "No HPA acts (K3S-3): nothing grows under load.",
        "k3s kubectl -n kube-system logs deployment/metrics-server",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        follows=("k3s.api.ready",),
        read_by=("k3s.api.ready",),
    ),
)
