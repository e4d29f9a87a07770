"""The faults of tests/lab/fleet/test_faults_seen.py: how each is planted, undone, and what must be said of it."""

from __future__ import annotations

from dataclasses import dataclass

Seen = tuple[str, str, tuple[str, ...]]
"""Check id, level, and the hosts that the finding names; none for a finding about a whole cluster."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong on one host."""

    name: str
    host: str
    """Its name, or module/role: whoever has that role now."""
    ask: str
    """The own tool of what is at fault, with the shell functions of `bad_states/made.py`."""
    says: str
    """What it answers then: a part of it."""
    plant: str
    undo: str
    health: tuple[str, str] | None = None
    """Check id and level that `kbz health` must give; None when it must be silent."""
    drift: str = ""
    """Identity of the resource that `kbz drift` must name on the host; empty when it must be silent."""
    stray: str = ""
    """What `kbz drift` must call a stray there."""
    then: tuple[str, str] = ("", "")
    """A second host, and what happens there afterwards."""

    asked_on: str = ""
    """Where the daemon's own tool is asked; empty for the host itself."""
    told_on: tuple[str, ...] = ()
    """Hosts that the one line names, where that is not the host alone."""

    @property
    def differences(self) -> tuple[tuple[str, str], ...]:
        """Host and what `kbz drift` says of it."""
        told = (self.drift, f"stray {self.stray}" if self.stray else "")
        return tuple((self.host, what) for what in told if what)

    @property
    def seen(self) -> Seen | None:
        return None if self.health is None else (*self.health, self.told_on or (self.host,))


def _disk(path: str, options: str, fill: str) -> tuple[str, str]:
    """A small file system of its own, as a volume is."""
    mount = f"mkdir -p {path} && mount -t tmpfs -o {options} tmpfs {path} && {fill}"
    return mount, f"umount {path} && rmdir {path}"


def _edit(path: str, line: str) -> tuple[str, str]:
    """A line at the end of a file, as an editor leaves it; the copy aside brings the file back."""
    aside = "/root/before-the-fault"
    return f"cp -p {path} {aside} && echo '{line}' >> {path}", f"cp -p {aside} {path} && rm {aside}"


_FULL = _disk("/srv/full", "size=1m", "head -c 1000k /dev/zero > /srv/full/f")
_FILLING = _disk("/srv/filling", "size=1m", "head -c 820k /dev/zero > /srv/filling/f")
_INODES = _disk("/srv/small", "nr_inodes=20", "touch $(seq -f /srv/small/%g 18)")
_READ_ONLY = _disk("/srv/broken", "size=1m", "mount -o remount,ro /srv/broken")
_LOOP = "docker run -d --name looping --restart always --entrypoint false"
_CLOCK = r"""cat > /usr/local/bin/python3 <<'END'
#!/bin/sh
shift $(($# - 1))  # the program is the last word, whatever options come before it
exec /usr/bin/python3 -I -S -c 'import sys, time; t = time.time; time.time = lambda: t() + 90; exec(sys.argv[1])' "$1"
END
chmod +x /usr/local/bin/python3"""
"""A lab host shares the clock of this machine, which must not be touched: its Python reads another one."""

HOSTS = (
    Fault(
        "a full file system",
        "db-slave-01",
        "df --output=pcent /srv/full",
        "9",
        *_FULL,
        ("base.disk.space", "critical"),
    ),
    Fault(
        "a file system that fills",
        "queue-02",
        "df --output=pcent /srv/filling",
        "8",
        *_FILLING,
        ("base.disk.space", "warn"),
    ),
    Fault(
        "no inodes left",
        "redis-03",
        "df --output=ipcent /srv/small",
        "9",
        *_INODES,
        ("base.disk.inodes", "critical"),
    ),
    Fault(
        "a read-only file system",
        "maria-02",
        "findmnt -no OPTIONS /srv/broken",
        "ro",
        *_READ_ONLY,
        ("base.disk.read-only", "critical"),
    ),
    Fault(
        "another time source",
        "proxysql-01",
        "systemd-analyze cat-config systemd/timesyncd.conf",
        "NTP=10.0.99.99",
        "mkdir -p /etc/systemd/timesyncd.conf.d && "
        "printf '[Time]\\nNTP=10.0.99.99\\n' > /etc/systemd/timesyncd.conf.d/other.conf",
        "rm -r /etc/systemd/timesyncd.conf.d",
        ("base.clock.source", "warn"),
    ),
    Fault(
        "a clock that is 90 s ahead",
        "maria-03",
        '/usr/local/bin/python3 "print(int(time.time()) - $(date +%s))"',
        "9",
        _CLOCK,
        "rm /usr/local/bin/python3",
        ("base.clock.median", "critical"),
    ),
    Fault(
        "a failed unit",
        "proxysql-02",
        "systemctl --failed --no-legend",
        "nightly-copy.service",
        "systemd-run --quiet --unit=nightly-copy false",
        "systemctl reset-failed nightly-copy.service",
        ("base.units.failed", "warn"),
    ),
    Fault(
        "a container that starts again and again",
        "redis-02",
        "w '[ $(docker inspect -f {{.RestartCount}} looping) -gt 1 ]' && echo again",
        "again",
        f"{_LOOP} redis:7.2.5-alpine",
        "docker rm -f looping",
        ("base.containers.restarting", "critical"),
        stray="container:looping",
    ),
    Fault(
        "other resolvers",
        "db-master-01",
        "resolvectl dns",
        "10.0.99.99",
        "printf '[Resolve]\\nDNS=\\nDNS=10.0.99.99\\n' > /etc/systemd/resolved.conf.d/zz-other.conf"
        " && systemctl restart systemd-resolved",
        "rm /etc/systemd/resolved.conf.d/zz-other.conf && systemctl restart systemd-resolved",
        ("base.resolvers.effective", "warn"),
    ),
    Fault(
        "a unit that legacy left",
        "redis-01",
        "systemctl cat redis-by-hand.service",
        "ExecStart=/bin/true",
        "printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/redis-by-hand.service",
        "rm /etc/systemd/system/redis-by-hand.service",
        ("redis.units.none", "warn"),
        stray="unit:redis-by-hand.service",
    ),
    Fault(
        "an edited file",
        "db-slave-02",
        "systemd-analyze cat-config systemd/journald.conf",
        "SystemMaxUse=9G",
        *_edit("/etc/systemd/journald.conf.d/keybuzz.conf", "SystemMaxUse=9G"),
        drift="file:/etc/systemd/journald.conf.d/keybuzz.conf",
    ),
    Fault(
        "a changed sysctl",
        "queue-01",
        "sysctl -n net.ipv4.tcp_fin_timeout",
        "61",
        "sysctl -qw net.ipv4.tcp_fin_timeout=61",
        "sysctl -qw net.ipv4.tcp_fin_timeout=15",
        drift="sysctl:net.ipv4.tcp_fin_timeout",
    ),
    Fault(
        "a credential that everybody can read",
        "haproxy-01",
        "stat -c %a /opt/keybuzz/pgbouncer/conf/userlist.txt",
        "644",
        "chmod 0644 /opt/keybuzz/pgbouncer/conf/userlist.txt",
        "chmod 0600 /opt/keybuzz/pgbouncer/conf/userlist.txt",
        drift="file:/opt/keybuzz/pgbouncer/conf/userlist.txt",
    ),
    Fault(
        "a firewall that is off",
        "queue-03",
        "ufw status",
        "inactive",
        "ufw disable",
        "ufw --force enable",
        drift="firewall:ufw",
    ),
    Fault(
        "an SSH server that lets more in",
        "haproxy-02",
        "sshd -T",
        "/etc/ssh/more",
        "echo 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/more' > /etc/ssh/sshd_config.d/0-other.conf",
        "rm /etc/ssh/sshd_config.d/0-other.conf",
        drift="ssh-server:sshd",
    ),
    Fault(
        "a package that is no longer held",
        "maria-01",
        "apt-mark showhold | grep -qx docker.io && echo held || echo free",
        "free",
        "apt-mark unhold docker.io",
        "apt-mark hold docker.io",
        drift="package:docker.io",
    ),
    Fault(
        "another time zone",
        "maria-02",
        "date +%Z",
        "JST",
        "ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime",
        "ln -sf /usr/share/zoneinfo/Europe/Paris /etc/localtime",
        drift="symlink:/etc/localtime",
    ),
    Fault(
        "a file that is gone",
        "queue-02",
        "ls /etc/timezone || true",
        "No such file",
        "mv /etc/timezone /root/timezone",
        "mv /root/timezone /etc/timezone",
        drift="file:/etc/timezone",
    ),
    Fault(
        "a container that would not come back",
        "redis-03",
        "docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' redis",
        "no",
        "docker update --restart=no redis",
        "docker update --restart=unless-stopped redis",
        drift="container:redis",
    ),
    Fault(
        "a container that is not described",
        "haproxy-02",
        "docker ps -a",
        "left-over",
        "docker create --name left-over $(docker images -q | head -n 1) true",
        "docker rm left-over",
        stray="container:left-over",
    ),
    Fault(
        "a listening port that is not described",
        "redis-01",
        'w "ss -ltn | grep -q :9999"; ss -ltn',
        "10.0.0.123:9999",
        "systemd-run --unit planted-port python3 -m http.server --bind 10.0.0.123 9999",
        "systemctl stop planted-port",
        stray="port:9999",
    ),
    Fault(
        "a service that is off",
        "proxysql-02",
        "systemctl is-active fail2ban || true",
        "inactive",
        "systemctl -q disable --now fail2ban",
        "systemctl -q enable --now fail2ban",
        drift="service:fail2ban.service",
    ),
)
"""They hurt no service, so that they can be there all at once."""

_WRITE = (
    "docker exec patroni psql -qh /var/run/postgresql -U kb_admin postgres "
    "-c \"select pg_logical_emit_message(false, 'kbz', repeat('x', 4000000))\""
)

SERVICES = (
    Fault(
        "a lagging replica",
        "patroni/replica",
        "pc list -f json | grep -o 'Lag in MB.: [1-9]'",
        "Lag in MB",
        "pkill -STOP -f 'postgres: .*[w]alreceiver'",
        "pkill -CONT -f 'postgres: .*[w]alreceiver'",
        ("patroni.member.state", "warn"),
        then=("patroni/leader", _WRITE),
    ),
    Fault(
        "a stopped Sentinel",
        "redis/master",
        "s ping || true",
        "is not running",
        "docker stop redis-sentinel",
        "docker start redis-sentinel",
        ("redis.sentinel.answers", "critical"),
        "container:redis-sentinel",
    ),
    Fault(
        "a third node out of Galera",
        "maria-03",
        "m \"SHOW STATUS LIKE 'wsrep_cluster_size'\"",
        "2",
        "docker stop -t 60 mariadb",
        "docker start mariadb",
        ("galera.node.synced", "critical"),
        "container:mariadb",
        asked_on="maria-01",
    ),
    Fault(
        "a stopped RabbitMQ",
        "queue-03",
        "q cluster_status --formatter json | grep -o 'running_nodes.:[^]]*' | tr , '\\n' | wc -l",
        "2",
        "docker stop -t 60 rabbitmq",
        "docker start rabbitmq",
        ("rabbitmq.node.answers", "critical"),
        "container:rabbitmq",
        asked_on="queue-01",
    ),
    Fault(
        "a watcher that hangs",
        "haproxy-01",
        "ps -o stat= -p $(systemctl show -P MainPID kbz-redis-watcher)",
        "T",
        "systemctl kill -s STOP kbz-redis-watcher",
        "systemctl kill -s CONT kbz-redis-watcher",
        ("redis-proxy.watcher", "critical"),
    ),
    Fault(
        "a stopped PgBouncer",
        "haproxy-02",
        "docker ps -a --filter name=pgbouncer",
        "Exited",
        "docker stop pgbouncer",
        "docker start pgbouncer",
        ("postgres-proxy.listens", "critical"),
        "container:pgbouncer",
    ),
    Fault(
        "a stopped replica",
        "redis/replica",
        "r info replication",
        "connected_slaves:1",
        "docker stop redis",
        "docker start redis",
        ("redis.node.answers", "critical"),
        "container:redis",
        asked_on="redis/master",
    ),
    Fault(
        "a broker's disk alarm",
        "queue-01",
        "docker exec rabbitmq rabbitmq-diagnostics -q alarms",
        "disk",
        "docker exec rabbitmq rabbitmqctl -q set_disk_free_limit 900000GB",
        "docker exec rabbitmq rabbitmqctl -q set_disk_free_limit 50MB",
        ("rabbitmq.alarms.none", "critical"),
        told_on=("queue-01", "queue-02"),  # publishers are held back on every node that runs
    ),
)
"""No cluster loses its majority: of Redis a replica and the master's Sentinel stop, of the others one member. RabbitMQ
holds publishers back while its alarm is on, as it should."""

ROUNDS = {"hosts": HOSTS, "services": SERVICES}
BASELINE: frozenset[Seen] = frozenset({("rabbitmq.partition.handling", "warn", ())})
"""What the healthy lab says already: the owner has not decided (facts/05)."""
