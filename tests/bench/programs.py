"""The programs that are compared, each with its words for each work, as its documentation says that it is quick."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import things
from tests.bench.site import write_site
from tests.bench.stage import Stage, inside

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).parent / "peers"
PROBE = "cat /proc/uptime"
"""The health command: as cheap as one can be, so that nothing but the program is compared."""
OLD, NEW = 1, 2
"""Versions of the files: what the hosts have, and what W3 pushes."""


@dataclass(frozen=True)
class Program:
    """One contestant. A work that it has no words for is not measured with it."""

    name: str
    works: dict[str, list[str]]
    env: dict[str, str] = field(default_factory=dict)
    input: dict[str, Path] = field(default_factory=dict)
    """What it is given as standard input."""
    codes: frozenset[int] = frozenset({0})
    """Exit codes with which a run is good."""


def programs(stage: Stage, folder: Path, venv: Path) -> list[Program]:
    """Write what the programs need into a folder, and return all of them."""
    for version in (OLD, NEW):
        things.write_files(folder / f"source-{version}", version)
    python = str(venv / "bin/python")
    return [
        _kbz(stage, folder),
        _floor(stage, folder, python, "libssh2, one thread", 1),
        _floor(stage, folder, python, "libssh2, 50 threads", 50),
        _netmiko(stage, folder, python),
        _pyinfra(stage, folder, venv),
        _ansible(stage, folder, venv),
    ]


def _kbz(stage: Stage, folder: Path) -> Program:
    config = str(write_site(folder / "site", stage))
    ours = REPOSITORY / ".venv/bin"
    works = [str(ours / "python"), "-m", "tests.bench.kbz_works", config, str(folder / "hosts")]
    command = [str(ours / "kbz"), "--config", config, "exec", "--looks", "--limit", "all", "--"]
    return Program(
        "kbz",
        {
            "W1": [*command, *PROBE.split()],
            "W1w": [*works, "warm"],
            "W2": [*works, "check", str(OLD)],
            "W3": [*works, "push", str(OLD), str(NEW)],
        },
    )


def _floor(stage: Stage, folder: Path, python: str, name: str, threads: int) -> Program:
    """The same by bare exec channels: what a person would write in an afternoon, without any check of a state."""

    def words(command: str) -> list[str]:
        given = [str(threads), command, str(stage.key), str(stage.known_hosts)]
        return inside([python, str(PEERS / "floor.py"), *given, *stage.addresses])

    place = f"{folder}/hosts/ADDRESS"
    names, settings = " ".join(things.FILES), " ".join(things.SETTINGS)
    look = f"cd {place} && sha256sum {names} && stat -c %u:%g:%a * && sysctl -n {settings}"
    return Program(
        name,
        {"W1": words(PROBE), "W2": words(look), "W3": words(f"tar -x -C {place}")},
        input={"W3": _archive(folder)},
    )


def _netmiko(stage: Stage, folder: Path, python: str) -> Program:
    extras = {
        "use_keys": True,
        "key_file": str(stage.key),
        "ssh_strict": True,
        "alt_host_keys": True,
        "alt_key_file": str(stage.known_hosts),
    }
    hosts = {
        address: {
            "hostname": address,
            "username": "root",
            "platform": "linux",
            "connection_options": {"netmiko": {"extras": extras}},
        }
        for address in stage.addresses
    }
    path = folder / "hosts.yaml"
    path.write_text(json.dumps(hosts))
    words = inside([python, str(PEERS / "netmiko_command.py"), PROBE, str(path)])
    return Program("nornir-netmiko", {"W1": [*words, "1"], "W1w": [*words, "2"]})


def _pyinfra(stage: Stage, folder: Path, venv: Path) -> Program:
    data = {
        "ssh_user": "root",
        "ssh_key": str(stage.key),
        "ssh_known_hosts_file": str(stage.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        **_variables(folder),
    }
    for version in (OLD, NEW):
        both = (list(stage.addresses), {**data, "source": str(folder / f"source-{version}")})
        (folder / f"inventory_{version}.py").write_text(f"hosts = {both!r}\n")
    start = inside([str(venv / "bin/pyinfra"), "-y", "--parallel", "50"])
    old, new = (str(folder / f"inventory_{version}.py") for version in (OLD, NEW))
    return Program(
        "pyinfra",
        {
            "W1": [*start, old, "exec", "--", *PROBE.split()],
            "W2": [*start, "--dry", old, str(PEERS / "check.py")],
            "W3": [*start, new, str(PEERS / "push.py")],
        },
    )


def _ansible(stage: Stage, folder: Path, venv: Path) -> Program:
    variables = {
        **_variables(folder),
        "source": str(folder / f"source-{OLD}"),
        "archive": str(_archive(folder)),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(stage.key),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    (folder / "variables.json").write_text(json.dumps(variables))
    (folder / "hosts.ini").write_text("\n".join(stage.addresses) + "\n")
    (folder / "ansible.cfg").touch()
    ssh = f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={stage.known_hosts}"
    env = {
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": "50",
        "ANSIBLE_SSH_ARGS": ssh,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }
    given = ["-i", str(folder / "hosts.ini"), "-e", f"@{folder}/variables.json"]
    play = inside([str(venv / "bin/ansible-playbook"), *given])
    module = ["all", "-m", "ansible.builtin.command", "-a", PROBE]
    return Program(
        "ansible",
        {
            "W1": inside([str(venv / "bin/ansible"), *given, *module]),
            "W2": [
                *play,
                "--check",
                "--limit",
                f"all[0:{ANSIBLE_HOSTS - 1}]",
                str(PEERS / "check.yaml"),
            ],
            "W3": [*play, str(PEERS / "push.yaml")],
        },
        env,
    )


ANSIBLE_HOSTS = 10
"""Ansible's W2 takes minutes: it is measured on so many hosts, and the time is scaled to all of them."""


def _variables(folder: Path) -> dict[str, object]:
    return {
        "folder": str(folder / "hosts"),
        "directories": things.DIRECTORIES,
        "files": things.FILES,
        "settings": {name: things.setting(name) for name in things.SETTINGS},
    }


def _archive(folder: Path) -> Path:
    """Make the archive of the new files."""
    path = folder / "files.tar"
    with tarfile.open(path, "w") as archive:
        for name in things.FILES:
            content = things.text(name, NEW).encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return path
