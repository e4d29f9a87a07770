"""What the checks of Qdrant mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

_CONTAINERS = ("base.docker.running", "base.containers.restarting", "base.containers.paused")

CHECK_INFOS = (
    CheckInfo(
        "qdrant.reachable",
        "the host answers",
        "kbz could not ask this host, so nothing is known of Qdrant.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "qdrant.node.serves",
        "all shards are ready, and it takes the API key",
        "Searches and writes fail: there is no other node.",
        "docker logs qdrant there; then kbz plan qdrant.",
        levels=(Level.CRITICAL,),
        follows_here=_CONTAINERS,
        follows=("qdrant.reachable",),
    ),
    CheckInfo(
        "qdrant.key.required",
        "requests without the API key are refused",
        "Any program in the private network reads and changes every collection.",
        "Give the key to its clients, stop the container, then kbz run qdrant.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows_here=_CONTAINERS,
        follows=("qdrant.reachable",),
        read_by=("qdrant.node.serves",),
    ),
    CheckInfo(
        "qdrant.version.frozen",
        "it runs the version of versions.yaml",
        "Another release runs than the one that was decided.",
        "kbz plan qdrant",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows_here=_CONTAINERS,
        follows=("qdrant.reachable",),
        read_by=("qdrant.node.serves",),
    ),
    CheckInfo(
        "qdrant.probe",
        "a point goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health qdrant",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("qdrant.node.serves",),
    ),
)
