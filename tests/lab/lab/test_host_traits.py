"""Hosts as they are: each trait of a real server, the fault that it makes, and a run that copes with it.

Two servers: mail-core-01 with Debian 12, mail-mx-02 with Debian 13. The tests of a class build on each other.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ruamel.yaml import YAML

from tests.lab.conftest import CACHE, Done, Kbz, bare_lab, until

pytestmark = pytest.mark.lab

LAB = "kbz-traits"
OLD, OLD_ADDRESS = "mail-core-01", "10.0.0.160"
NEW = "mail-mx-02"
CONTROLLER = "10.0.0.1"
OPERATOR = "198.51.100.7"
"""An address that is nobody's (RFC 5737): it stands for an operator at home."""
_LISTEN = (
    "import socket; s = socket.create_server(('0.0.0.0', {port})); "
    "[s.accept()[0].close() for _ in iter(int, 1)]"
)
_DATAGRAMS = (
    "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('0.0.0.0', 443)); s.recv(1)"
)


def describe(kbz: Kbz, **sections: dict[str, object]) -> None:
    """Lay values over the lab's overlay, as an operator edits it."""
    yaml = YAML()
    path = kbz.config.parent / "lab.yaml"
    overlay = yaml.load(path.read_text())
    for section, values in sections.items():
        for name, value in values.items():
            if isinstance(value, dict):
                overlay[section].setdefault(name, {}).update(value)
            else:
                overlay[section][name] = value
    with path.open("w") as file:
        yaml.dump(overlay, file)


@pytest.fixture(scope="module")
def kbz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """A lab of two bare servers, one of each system; gone at the end."""
    traits = "ssh-socket cloud-init-hosts automatic-updates containerd-store"

    def prepare(made: Kbz) -> None:
        describe(made, hosts={NEW: {"lab.traits": traits}})

    folder = tmp_path_factory.mktemp("site")
    with bare_lab(folder, LAB, "--limit", f"{OLD},{NEW}", prepare=prepare) as made:
        # The operator at home: an address on the controller's end of the network, and the way back to it.
        subprocess.run(
            ["ip", "-n", LAB, "address", "add", f"{OPERATOR}/32", "dev", "lab0"], check=True
        )
        for host in (OLD, NEW):
            made.on(host, f"ip route add {OPERATOR}/32 dev eth0")
        yield made


def run_base(kbz: Kbz, host: str) -> Done:
    return kbz("run", "base", "--limit", host, "--format", "json")


def refused(kbz: Kbz, host: str) -> str:
    """Run base, which must be refused before anything is changed; return why."""
    done = run_base(kbz, host)
    document = done.json()
    assert (done.code, document["hosts"][host]["changed"]) == (3, 0), document["error"]
    return str(document["error"])


def from_lab(kbz: Kbz, *argv: str) -> list[str]:
    return ["ip", "netns", "exec", LAB, *argv]


def ssh(kbz: Kbz, source: str, user: str, *command: str) -> list[str]:
    """Return the words of a login to mail-core-01 from one of the addresses in the controller's namespace."""
    options = (
        "BatchMode=yes",
        "ConnectTimeout=5",
        f"UserKnownHostsFile={kbz.root}/ssh/known_hosts",
    )
    words = [word for option in options for word in ("-o", option)]
    key = str(kbz.root / "ssh/id_ed25519")
    return from_lab(kbz, "ssh", *words, "-i", key, "-b", source, f"{user}@{OLD_ADDRESS}", *command)


def ends_well(words: list[str]) -> bool:
    """Run a program; one that hangs for 10 s, as SSH does when a ban comes in its midst, has not ended well."""
    try:
        return subprocess.run(words, check=False, capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def reaches(kbz: Kbz, source: str, port: int) -> bool:
    """Return whether a connection from an address to a port of mail-core-01 is let in."""
    script = (
        "import socket; "
        f"socket.create_connection(('{OLD_ADDRESS}', {port}), 2, ('{source}', 0)).close()"
    )
    return ends_well(from_lab(kbz, sys.executable, "-c", script))


@contextmanager
def logged_in(kbz: Kbz, source: str) -> Iterator[None]:
    """Somebody is logged in over SSH meanwhile."""
    words = ssh(kbz, source, "root", "echo in; cat")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        assert session.stdout is not None
        assert session.stdin is not None
        assert session.stdout.readline() == b"in\n"
        yield  # the session ends when its input is closed, which the process' own block does


def listening(kbz: Kbz, port: int) -> None:
    script = _LISTEN.format(port=port)
    kbz.on(OLD, f'systemd-run --unit=other-{port} python3 -c "{script}"')
    until(lambda: reaches(kbz, CONTROLLER, port), 30, f"port {port} is served")


def mistype(kbz: Kbz, times: int) -> None:
    """Try to log in as somebody who does not exist; a ban ends that early."""
    for _ in range(times):
        ends_well(ssh(kbz, CONTROLLER, "nosuch", "true"))


def banned(kbz: Kbz) -> bool:
    return CONTROLLER in kbz.on(OLD, "fail2ban-client status sshd")


def in_log(kbz: Kbz, words: str) -> Callable[[], bool]:
    return lambda: words in kbz.on(OLD, "touch /var/log/fail2ban.log; cat /var/log/fail2ban.log")


class TestOtherServersAreNotCutOff:
    def test_without_kbz_failed_logins_ban_the_controller(self, kbz: Kbz) -> None:
        kbz.on(OLD, "systemctl start fail2ban")
        until(in_log(kbz, "Jail 'sshd' started"), 30, "fail2ban watches")
        mistype(kbz, 7)
        until(lambda: banned(kbz), 60, "the controller is banned")
        assert not reaches(kbz, CONTROLLER, 22)
        kbz.on(OLD, "fail2ban-client unban --all; systemctl stop fail2ban")

    def test_who_is_logged_in_from_outside_is_not_shut_out(self, kbz: Kbz) -> None:
        with logged_in(kbz, OPERATOR):
            assert f"shut out who is logged in over SSH from {OPERATOR}" in refused(kbz, OLD)
            # As on install-01, where nothing of SSH is between kbz and its host.
            assert f"shut_out=('{OPERATOR}',)" in here(kbz, OLD, "firewall:ufw", "read")
            describe(kbz, parameters={"base.admin_networks": f"{OPERATOR}/32"})
            assert "shut_out=()" in here(kbz, OLD, "firewall:ufw", "read")

    def test_what_other_services_listen_on_is_a_refusal_until_it_is_described(
        self, kbz: Kbz
    ) -> None:
        for port in (25, 993, 8080):
            listening(kbz, port)
        kbz.on(OLD, f'systemd-run --unit=datagrams python3 -c "{_DATAGRAMS}"')
        until(lambda: ":443 " in kbz.on(OLD, "ss -Hlun"), 30, "port 443 takes datagrams")
        why = refused(kbz, OLD)
        said = "cut off what listens here for any address: 25/tcp (python3), 443/udp (python3)"
        assert f"{said}, 993/tcp (python3), 8080/tcp (python3)" in why
        values = {"base.public_ports": "25/tcp 993/tcp 443/udp", "base.private_ports": "8080/tcp"}
        describe(kbz, hosts={OLD: values})

    def test_an_engine_newer_than_the_pin_is_a_refusal_until_the_owner_decides(
        self, kbz: Kbz
    ) -> None:
        key = kbz.root / "engine.asc"
        key.write_text(kbz.on(OLD, _REPOSITORY))
        digest = hashlib.sha256(key.read_bytes()).hexdigest()
        describe(
            kbz,
            parameters={
                "base.docker_source_key": str(key),
                "base.docker_source_digest": f"sha256:{digest}",
            },
            hosts={
                OLD: {
                    "base.docker_source": "file:///srv/repository",
                    "base.docker_package": "kbz-engine",
                    "base.docker_version": "1.0",
                }
            },
        )
        assert "kbz-engine 2.0 is newer than 1.0 of site.yaml" in refused(kbz, OLD)
        describe(kbz, hosts={OLD: {"base.docker_downgrade": "yes"}})

    def test_then_a_run_is_green_and_everybody_still_gets_in(self, kbz: Kbz) -> None:
        kbz.good("run", "base", "--limit", OLD)
        found = kbz.on(OLD, "dpkg-query -W -f '${db:Status-Abbrev}${Version}' kbz-engine")
        assert found == "hi 1.0"
        for port in (22, 25, 993):
            assert reaches(kbz, OPERATOR, port), port
        assert not reaches(kbz, OPERATOR, 8080)
        assert reaches(kbz, CONTROLLER, 8080)
        assert run_base(kbz, OLD).json()["plan"]["size"] == 0
        document = kbz.good("drift", "base", "--limit", OLD, "--format", "json").json()
        assert document["drift"]["items"] == []

    def test_the_rule_is_what_lets_the_operator_in(self, kbz: Kbz) -> None:
        """The same firewall without it: a new login from there waits in vain."""
        describe(kbz, parameters={"base.admin_networks": "none"})
        kbz.good("run", "base", "--limit", OLD)
        assert not reaches(kbz, OPERATOR, 22)
        describe(kbz, parameters={"base.admin_networks": f"{OPERATOR}/32"})
        kbz.good("run", "base", "--limit", OLD)
        assert reaches(kbz, OPERATOR, 22)

    def test_failed_logins_of_the_controller_are_seen_and_ban_nobody(self, kbz: Kbz) -> None:
        kbz.on(OLD, "truncate -s 0 /var/log/fail2ban.log")
        mistype(kbz, 7)
        until(in_log(kbz, f"Ignore {CONTROLLER}"), 60, "fail2ban saw the logins")
        assert not banned(kbz)
        assert reaches(kbz, CONTROLLER, 22)


class TestDebian13:
    def test_containers_in_containerds_store_are_not_lost_from_sight(self, kbz: Kbz) -> None:
        make = "tar -C / -c etc/hostname | docker import - other:1; docker create --name mail other:1 x"
        kbz.on(NEW, make)
        assert "containerd.snapshotter" in kbz.on(NEW, "docker info -f '{{.DriverStatus}}'")
        why = refused(kbz, NEW)
        assert "Docker keeps its containers in containerd's store" in why
        assert why.splitlines()[0].endswith(": mail")
        assert kbz.on(NEW, "docker ps -aq").split()
        # What the run would have done.
        kbz.on(NEW, f"cp {_DAEMON} /root/daemon.json; echo '{_OVERLAY2}' >{_DAEMON}")
        kbz.on(NEW, "systemctl restart docker")
        assert not kbz.on(NEW, "docker ps -aq").split()
        kbz.on(NEW, f"cp /root/daemon.json {_DAEMON}; systemctl restart docker; docker rm mail")

    def test_without_kbz_a_program_whose_file_was_replaced_is_restarted(self, kbz: Kbz) -> None:
        assert 'Automatic-Reboot "true"' in kbz.on(NEW, "apt-config dump")
        assert restarted_by_needrestart(kbz)

    def test_a_run_is_green_where_systemd_listens_for_ssh(self, kbz: Kbz) -> None:
        kbz.on(NEW, "systemctl stop ssh.service")
        assert "not active" in kbz.on(NEW, "systemctl reload ssh 2>&1 || true")
        assert "outcome changed" in here(kbz, NEW, "ssh-server:sshd", "write")
        assert "x11forwarding=no" in here(kbz, NEW, "ssh-server:sshd", "read")
        kbz.good("run", "base", "--limit", NEW)
        assert run_base(kbz, NEW).json()["plan"]["size"] == 0
        document = kbz.good("drift", "base", "--limit", NEW, "--format", "json").json()
        assert document["drift"]["items"] == []
        assert kbz.on(NEW, "docker info -f '{{.Driver}}'").strip() == "overlay2"

    def test_a_run_over_such_a_connection_gets_new_options_in_force(self, kbz: Kbz) -> None:
        """A plain reload would end this sshd: it does not get its socket again."""
        kbz.good("exec", "--limit", NEW, "--", "true")
        kbz.on(NEW, "rm /etc/ssh/sshd_config.d/00-keybuzz.conf; systemctl is-active ssh.service")
        kbz.on(NEW, "systemctl reload ssh 2>&1 || true")
        state = "systemctl is-failed ssh || true"
        until(lambda: kbz.on(NEW, state).strip() == "failed", 20, "the reload ends sshd")
        changes = kbz.good("run", "base", "--limit", NEW, "--format", "json").json()["plan"][
            "changes"
        ]
        assert [change["resource"] for change in changes] == ["ssh-server:sshd"]
        assert "x11forwarding no" in kbz.on(NEW, "sshd -T")
        assert kbz.good("exec", "--limit", NEW, "--", "true").code == 0

    def test_the_same_program_goes_on_until_somebody_restarts_it(self, kbz: Kbz) -> None:
        assert 'Automatic-Reboot "false"' in kbz.on(NEW, "apt-config dump")
        assert not restarted_by_needrestart(kbz)


def restarted_by_needrestart(kbz: Kbz) -> bool:
    """Replace the file of a running program, as an update does; return whether needrestart restarted it."""
    kbz.on(NEW, "cp /usr/bin/sleep /usr/local/bin/busy")
    kbz.on(NEW, _SERVICE)
    before = kbz.on(NEW, _MAIN)
    kbz.on(NEW, "cp /usr/bin/sleep /usr/local/bin/new; mv /usr/local/bin/new /usr/local/bin/busy")
    said = kbz.on(NEW, "DEBIAN_FRONTEND=noninteractive needrestart -l 2>&1")
    assert "busy.service" in said
    after = kbz.on(NEW, _MAIN)
    kbz.on(NEW, "systemctl stop busy; rm /run/systemd/system/busy.service; systemctl daemon-reload")
    return after != before


def here(kbz: Kbz, host: str, identity: str, verb: str) -> str:
    """Read or write one resource of base through the local connection plugin."""
    place = (kbz.root.name, str(kbz.root), str(CACHE))
    words = [sys.executable, "-m", "tests.lab.support.here", str(kbz.config), *place]
    done = subprocess.run(
        [*words, host, identity, verb], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


_DAEMON = "/etc/docker/daemon.json"
_OVERLAY2 = '{"storage-driver": "overlay2"}'
_MAIN = "systemctl show -p MainPID --value busy"
_SERVICE = (
    "printf '[Service]\\nExecStart=/usr/local/bin/busy 1000\\n' >/run/systemd/system/busy.service; "
    "systemctl daemon-reload; systemctl restart busy"
)
_REPOSITORY = """\
set -e
: > /etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
export GNUPGHOME=/root/gnupg; mkdir -m 700 $GNUPGHOME
base=/srv/repository; dist=$base/dists/noble; list=$dist/stable/binary-$(dpkg --print-architecture)
mkdir -p $list $base/pool
for version in 1.0 2.0; do
    tree=/tmp/kbz-engine-$version; mkdir -p $tree/DEBIAN
    printf '%s\\n' 'Package: kbz-engine' "Version: $version" 'Architecture: all' \
        'Maintainer: lab <lab@example.org>' 'Description: lab' > $tree/DEBIAN/control
    file=pool/kbz-engine_$version.deb
    dpkg-deb --build $tree $base/$file >&2
    dpkg-deb --field $base/$file >> $list/Packages
    printf 'Filename: %s\\nSize: %s\\nSHA256: %s\\n\\n' $file $(stat -c %s $base/$file) \
        $(sha256sum $base/$file | cut -d' ' -f1) >> $list/Packages
done
dpkg --install $base/pool/kbz-engine_2.0.deb >&2
cd $dist
{
    printf 'Suite: noble\\nCodename: noble\\nComponents: stable\\nArchitectures: all %s\\nDate: %s\\nSHA256:\\n' \
        $(dpkg --print-architecture) "$(date -Ru)"
    for file in $(find stable -type f); do
        echo " $(sha256sum $file | cut -d' ' -f1) $(stat -c %s $file) $file"
    done
} > Release
gpg --batch --quiet --passphrase '' --quick-generate-key lab@example.org rsa2048 sign >&2
gpg --batch --quiet --clearsign --output InRelease Release
gpg --armor --export
"""
"""A package source with two versions of a small package, the newer one installed; prints the key that signs it."""
