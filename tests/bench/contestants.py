"""The three programs, each as its documentation says that it is fast, on the hosts of one lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.conftest import REPOSITORY, Kbz

HERE = Path(__file__).parent
FILES = (
    "/etc/sysctl.d/99-keybuzz.conf",
    "/etc/timezone",
    "/etc/systemd/journald.conf.d/keybuzz.conf",
    "/etc/systemd/resolved.conf.d/keybuzz.conf",
    "/etc/docker/daemon.json",
    "/etc/ssh/sshd_config.d/00-keybuzz.conf",
)


@dataclass(frozen=True)
class Contestant:
    """One program: its words for each thing that is measured."""

    name: str
    converge: list[str]
    command: list[str]
    help: list[str]
    env: dict[str, str]


def contestants(
    kbz: Kbz, hosts: dict[str, str], venv: Path, folder: Path, lab: str
) -> list[Contestant]:
    """Write the inventories of the other two into the folder and return all three."""
    limit = ["--limit", ",".join(hosts)]
    binary = str(REPOSITORY / ".venv/bin/kbz")
    ours = [binary, "--config", str(kbz.config)]
    inside = ["ip", "netns", "exec", lab]
    return [
        Contestant(
            "kbz",
            [*ours, "run", "base", "--all", *limit],
            [*ours, "exec", *limit, "--", "true"],
            [binary, "--help"],
            {},
        ),
        _ansible(kbz, hosts, venv, folder, inside),
        _pyinfra(kbz, hosts, venv, folder, inside),
    ]


def _ansible(
    kbz: Kbz, hosts: dict[str, str], venv: Path, folder: Path, inside: list[str]
) -> Contestant:
    lines = [f"{name} ansible_host={address}" for name, address in hosts.items()]
    common = [
        "[all:vars]",
        "ansible_user=root",
        f"ansible_ssh_private_key_file={kbz.root}/ssh/id_ed25519",
        "ansible_python_interpreter=/usr/bin/python3",
        f"files={folder}/files",
    ]
    (folder / "hosts.ini").write_text("\n".join([*lines, *common]) + "\n")
    (folder / "ansible.cfg").touch()
    ssh = f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={kbz.root}/ssh/known_hosts"
    env = {
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": str(len(hosts)),
        "ANSIBLE_SSH_ARGS": ssh,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }
    play = [*inside, str(venv / "bin/ansible-playbook"), "-i", str(folder / "hosts.ini")]
    adhoc = [*inside, str(venv / "bin/ansible"), "-i", str(folder / "hosts.ini"), "all"]
    return Contestant(
        "ansible",
        [*play, str(HERE / "playbook.yaml")],
        [*adhoc, "-m", "ansible.builtin.command", "-a", "true"],
        [str(venv / "bin/ansible"), "--version"],
        env,
    )


def _pyinfra(
    kbz: Kbz, hosts: dict[str, str], venv: Path, folder: Path, inside: list[str]
) -> Contestant:
    data = {
        "ssh_user": "root",
        "ssh_key": f"{kbz.root}/ssh/id_ed25519",
        "ssh_known_hosts_file": f"{kbz.root}/ssh/known_hosts",
        "ssh_strict_host_key_checking": "yes",
        "files": str(folder / "files"),
    }
    (folder / "inventory.py").write_text(f"hosts = ({list(hosts.values())!r}, {data!r})\n")
    binary = str(venv / "bin/pyinfra")
    start = [*inside, binary, "-y", "--parallel", str(len(hosts)), str(folder / "inventory.py")]
    return Contestant(
        "pyinfra",
        [*start, str(HERE / "deploy.py")],
        [*start, "exec", "--", "true"],
        [binary, "--version"],
        {},
    )
