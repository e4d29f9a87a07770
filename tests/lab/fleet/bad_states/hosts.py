"""States of hosts; when is in `ROUNDS`."""

from __future__ import annotations

from tests.lab.fleet.bad_states.made import HINT, Bad

_SSH = "/usr/lib/systemd/system/ssh.service"

SETTINGS = (
    Bad(
        "S-43",
        "minio-02",
        "hostname other; cp --remove-destination $(readlink -f /etc/resolv.conf) /etc/resolv.conf; "
        "echo 'nameserver 10.0.99.99' >/etc/resolv.conf",
        "hostname; cat /etc/resolv.conf",
        "10.0.99.99",
        "hostname minio-02; ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
        ("base.resolvers.used", "warn", ""),
    ),
    Bad(
        "K-64",
        "minio-01",
        "docker network create --subnet 10.0.0.96/27 oops",
        "ip -4 route",
        "10.0.0.96/27 dev br-",
        "docker network rm oops",
        drift="minio-01/added:route 10.0.0.96/27",
    ),
    Bad(
        "K-65",
        "minio-02",
        "ip route add blackhole 10.0.0.200/32",
        "ip -4 route",
        "blackhole 10.0.0.200",
        "ip route del blackhole 10.0.0.200/32",
        drift="minio-02/added:route 10.0.0.200/32",
    ),
    Bad(
        "K-66",
        "minio-03",
        "echo /usr/lib/nothing.so >/etc/ld.so.preload",
        "cat /etc/ld.so.preload",
        "nothing.so",
        "rm /etc/ld.so.preload",
        drift="minio-03/added:/etc/ld.so.preload",
    ),
    Bad(
        "K-67",
        "proxysql-01",
        "echo 'root2:x:0:0::/root:/bin/sh' >>/etc/passwd; echo '* * * * * root true' >/etc/cron.d/x",
        "getent passwd root2",
        "root2:x:0:0",
        "sed -i '/^root2:/d' /etc/passwd; rm /etc/cron.d/x",
        drift="proxysql-01/added:account root2",
    ),
    Bad(
        "K-68",
        "proxysql-02",
        r"printf '[Timer]\nOnCalendar=daily\n' >/etc/systemd/system/nightly.timer",
        "systemctl list-unit-files nightly.timer",
        "nightly.timer",
        "rm /etc/systemd/system/nightly.timer; systemctl daemon-reload",
        drift="proxysql-02/unit:nightly.timer",
    ),
    Bad(
        "K-96",
        "minio-03",
        f"cp -p {_SSH} {_SSH}.dpkg-dist; echo 'Environment=X=a-word' >>{_SSH}",
        "dpkg --verify openssh-server || true",
        "/lib/systemd/system/ssh.service",
        f"mv {_SSH}.dpkg-dist {_SSH}",
        drift="minio-03/added:/lib/systemd/system/ssh.service",
    ),
    Bad(
        "K-97",
        "proxysql-01",
        "ssh-keygen -qt ed25519 -N '' -C else@where -f /root/k; cat /root/k.pub >>/root/.ssh/authorized_keys",
        "ssh-keygen -lf /root/.ssh/authorized_keys",
        "else@where",
        "sed -i /else@where/d /root/.ssh/authorized_keys; rm /root/k /root/k.pub",
        drift="proxysql-01/key:SHA256:",
    ),
    Bad(
        "K-98",
        "proxysql-02",
        "echo 'net.ipv4.tcp_fin_timeout = 61' >/etc/sysctl.d/zz-other.conf",
        "systemd-analyze cat-config sysctl.d",
        "/etc/sysctl.d/zz-other.conf",
        "rm /etc/sysctl.d/zz-other.conf",
        drift="proxysql-02/added:/etc/sysctl.d/zz-other.conf",
    ),
    Bad(
        "K-99",
        "minio-01",
        "echo '10.0.0.99 redis-01' >>/etc/hosts",
        "getent hosts redis-01",
        "10.0.0.99",
        HINT,
        ("base.hosts.file", "warn", "redis-01 is 10.0.0.99 there, and 10.0.0.123 in servers.tsv"),
    ),
    Bad(
        "S-45",
        "redis/replica",
        "P=$(sed -n 's/^requirepass //p' /opt/keybuzz/redis/conf/redis.conf | tr -d '\"'); mkdir /opt/app; "
        "echo '{\"db_password\": \"'$P'\"}' >/opt/app/site_config.json; "
        'echo "* * * * * root true -a $P" >/etc/cron.d/copy; echo "redis-cli -a $P ping" >>/root/.bash_history',
        "grep -l 'redis-cli -a' /root/.bash_history; ls /opt/app /etc/cron.d",
        "site_config.json",
        "rm -r /opt/app /etc/cron.d/copy; sed -i '/redis-cli -a/d' /root/.bash_history",
        drift="cron:/etc/cron.d/copy",
        told=(
            ("secrets", "stray"),
            ("/opt/app/site_config.json", "/etc/cron.d/copy", "/root/.bash_history"),
        ),
    ),
)
TAKEN = (
    Bad(
        "K-74",
        "minio-03",
        "docker kill -s STOP minio",
        "docker top minio -o pid,stat | tail -n 1",
        "T",
        "docker kill -s CONT minio",
        ("minio.node.serves", "critical", "does not answer"),
    ),
)
