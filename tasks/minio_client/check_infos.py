"""What the checks of mc's alias mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "minio-client.reachable",
        "the controller answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "minio-client.alias",
        "mc's alias minio leads to the one entry, with the store's credentials (MIN-5)",
        "Scripts with mc get an error, or reach another place.",
        "kbz run minio-client",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("minio-client.reachable",),
    ),
    CheckInfo(
        "minio-client.alias.other",
        "no other alias leads to this MinIO",
        "Scripts with the other alias use an entry point that the owner forbids, or fail when a node is away.",
        "mc alias rm NAME on the controller, when its owner agrees.",
        levels=(Level.WARN, Level.UNKNOWN),
        follows=("minio-client.reachable",),
        read_by=("minio-client.alias",),
    ),
    CheckInfo(
        "minio-client.program",
        "mc is the release of versions.yaml",
        "The alias has no program, or one whose checksum was not compared.",
        "write its sha256 into versions.yaml, put the file into mc.artefacts, then kbz run minio-client.",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=("minio-client.reachable",),
    ),
    CheckInfo(
        "minio-client.entry",
        "MinIO takes a request with the alias' credentials at the one entry",
        "mc on the controller gets an error whatever it is asked.",
        "kbz health minio",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("minio.node.serves", "minio-client.reachable"),
        read_by=("minio.node.serves",),
    ),
)
