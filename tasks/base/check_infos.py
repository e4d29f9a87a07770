"""What the checks of every server mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

CHECK_INFOS = (
    CheckInfo(
        "base.reachable",
        "the host answers over SSH",
        "Nobody could ask this host: it is off, cut off, or refuses the key.",
        "Its console at the provider; kbz hosts forget HOST when it was rebuilt.",
        levels=(Level.UNKNOWN,),
    ),
    CheckInfo(
        "base.docker.running",
        "the Docker Engine answers",
        "No container of this host can be started, and most are down.",
        "kbz run base --limit HOST; journalctl -u docker there.",
        follows_here=(
            "base.disk.space",
            "base.disk.read-only",
        ),
    ),
    CheckInfo(
        "base.clock.synchronised",
        "the clock follows a time service",
        "Leases, elections and certificates rely on the clock.",
        "timedatectl timesync-status on the host.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.resolvers.effective",
        "systemd-resolved uses the described resolvers",
        "Names are asked of somebody else, or of nobody.",
        "kbz drift base --limit HOST; resolvectl status there.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.units.failed",
        "no systemd unit has failed",
        "A service or a timer of the host did not do its work.",
        "systemctl status UNIT on the host; systemctl reset-failed when it is settled.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
    ),
    CheckInfo(
        "base.system.read",
        "the host says how it is",
        "Disk, memory, load and clock of this host are not known.",
        "kbz exec --limit HOST -- df -h; the agent's own words stand in the finding.",
        levels=(Level.UNKNOWN,),
    ),
    CheckInfo(
        "base.disk.space",
        "no file system is filling up",
        "A full disk stops every database on it; freeing it is easy while there is room.",
        "kbz exec --limit HOST -- du -xhd2 / ; old logs first, then images that no container uses.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        gates=False,
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.disk.inodes",
        "no file system is running out of inodes",
        "No new file can be made, though there is space.",
        "Find the folder with very many small files: kbz exec --limit HOST -- du --inodes -xd2 /",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        gates=False,
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.disk.read-only",
        "every file system takes writes",
        "The kernel stopped writing after an error of the disk, or somebody remounted it.",
        "dmesg on the host; the volume's state at the provider. Do not restart databases on it.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.memory.available",
        "memory is left",
        "The kernel will soon kill what is largest: a database.",
        "kbz exec --limit HOST -- docker stats --no-stream",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        gates=False,
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.memory.oom",
        "the kernel killed nothing for want of memory",
        "A process was killed in the last day; its container came back by itself, or did not.",
        "dmesg on the host says who and how large; compare with the settled limits.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=(
            "base.system.read",
            "base.docker.running",
        ),
        gates=False,
    ),
    CheckInfo(
        "base.load.average",
        "the processors keep up",
        "Answers come late, and leases of clusters may run out.",
        "kbz exec --limit HOST -- top -bn1",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
        gates=False,
    ),
    CheckInfo(
        "base.clock.median",
        "the clock agrees with the other hosts",
        "Leases and elections compare times of several hosts.",
        "timedatectl timesync-status on the host; restart its time service.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        read_by=("base.system.read",),
    ),
    CheckInfo(
        "base.clock.source",
        "all hosts ask the same time servers",
        "One host follows other clocks than the rest, and will drift from them.",
        "Files of /etc/systemd/timesyncd.conf.d and /etc/chrony on the host.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
        gates=False,
    ),
    CheckInfo(
        "base.containers.restarting",
        "no container restarts again and again",
        "The container dies as soon as it starts: its service is not there.",
        "kbz exec --limit HOST -- docker logs --tail 50 CONTAINER",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
            Level.CRITICAL,
        ),
        gates=False,
        read_by=(
            "base.system.read",
            "base.docker.running",
        ),
    ),
    CheckInfo(
        "base.hostname",
        "the host has the name of the inventory",
        "Clusters know their members by name: after a restart this one may be another member.",
        "hostnamectl set-hostname NAME",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
        gates=False,
    ),
    CheckInfo(
        "base.resolvers.used",
        "programs ask the described name servers",
        "Names are answered by servers that no file of kbz names.",
        "ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
        gates=False,
    ),
    CheckInfo(
        "base.containers.paused",
        "no container is paused",
        "The container's processes are stopped in place: its service answers nothing.",
        "kbz exec --limit HOST -- docker unpause CONTAINER; kbz run of its module does it too.",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        gates=False,
        read_by=(
            "base.system.read",
            "base.docker.running",
        ),
    ),
    CheckInfo(
        "base.kernel.same",
        "all hosts run the same kernel",
        "A host was upgraded, or missed a reboot.",
        "kbz restart base --limit HOST, one member at a time.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.system.read",),
        gates=False,
    ),
    CheckInfo(
        "base.docker.same",
        "all hosts run the same Docker Engine",
        "An upgrade went to some hosts only.",
        "kbz plan base; the version stands in site.yaml.",
        levels=(
            Level.WARN,
            Level.UNKNOWN,
        ),
        read_by=("base.docker.running",),
        gates=False,
    ),
)
