"""What the checks of MinIO mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "minio.member.reachable",
        "the host answers",
        "This host did not answer, so nothing is known of its part.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "minio.deployment.one",
        "the three drives are one set of one deployment",
        "A drive has no format.json, or belongs to another deployment or place: one more failure stops writes.",
        "kbz drift minio; no drive is changed, the owner decides about one with other data.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("minio.member.reachable",),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.version.same",
        "all nodes run one version",
        "Two versions side by side may not understand each other's data.",
        "kbz drift minio",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.node.serves",
        "the node is live and has the write quorum",
        "This node takes no puts. Applications know minio-01 only.",
        "docker logs --tail 50 minio on the host; kbz run minio starts what is stopped.",
        follows_here=(
            "base.docker.running",
            "base.disk.space",
            "base.disk.read-only",
            "base.containers.restarting",
            "base.containers.paused",
        ),
    ),
    CheckInfo(
        "minio.drive.own",
        "the drive is mounted and holds MinIO's data or nothing",
        "Data would go to the root disk, or foreign data lies where MinIO's must be.",
        "Stop the container, mount the volume; kbz never empties a drive.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
    ),
    CheckInfo(
        "minio.alias.one",
        "mc has the one alias minio (MIN-5)",
        "Scripts with other aliases fill and test other nodes.",
        "mc alias rm NAME on the host",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        stands=True,
    ),
    CheckInfo(
        "minio.drives.online",
        "the node sees all three drives",
        "Writes still have their quorum of two; one drive more, and they stop.",
        "kbz run minio starts what is stopped.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(
            "minio.node.serves",
            "minio.member.reachable",
        ),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.drives.healed",
        "no drive is still getting what it missed",
        "The healing drive cannot replace another one yet.",
        "Wait until it has everything; stop no other node.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("minio.drives.online",),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.service.frozen",
        "requests of applications are answered (no mc admin service freeze)",
        "Every request of an application waits, on all nodes (warn: on some, or a node is overloaded); MinIO's own "
        "health stays good.",
        "mc admin service unfreeze minio, on install-01, when that work is done.",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        read_by=("minio.node.serves",),
        stands=True,
    ),
    CheckInfo(
        "minio.listens.private",
        "it listens on the private address, and there only (MIN-4)",
        "MinIO could be reached from outside of the private network.",
        "kbz drift minio",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.console",
        "the console for operators answers",
        "Only people miss it: objects are served.",
        "docker logs --tail 50 minio on the host",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("minio.node.serves",),
    ),
    CheckInfo(
        "minio.probe",
        "an object goes through the official endpoint, is read back and removed (--deep)",
        "An application that writes now gets an error, or does not find what it wrote.",
        "kbz health minio",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=("minio.node.serves",),
    ),
)
