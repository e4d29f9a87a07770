# mypy: ignore-errors
"""The same as playbook.yaml for pyinfra, which runs it in its own environment."""

from __future__ import annotations

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

_PACKAGES = "auditd ca-certificates curl fail2ban git gnupg htop jq net-tools ufw unzip wget xfsprogs docker.io"

apt.packages(packages=_PACKAGES.split(), no_recommends=True)
files.link(path="/etc/localtime", target="/usr/share/zoneinfo/Europe/Paris")
for path in ("/etc/systemd/journald.conf.d", "/etc/systemd/resolved.conf.d", "/etc/docker"):
    files.directory(path=path, mode="755")


def put(path: str):
    """Put one rendered file."""
    return files.put(src=host.data.files + path, dest=path, add_deploy_dir=False)


kernel = put("/etc/sysctl.d/99-keybuzz.conf")
server.shell(commands=["sysctl --system"], _if=kernel.did_change)
put("/etc/timezone")
for path, service in (
    ("/etc/systemd/journald.conf.d/keybuzz.conf", "systemd-journald"),
    ("/etc/systemd/resolved.conf.d/keybuzz.conf", "systemd-resolved"),
    ("/etc/docker/daemon.json", "docker"),
):
    changed = put(path)
    systemd.service(service=f"{service}.service", restarted=True, _if=changed.did_change)
sshd = put("/etc/ssh/sshd_config.d/00-keybuzz.conf")
systemd.service(service="ssh.service", reloaded=True, _if=sshd.did_change)
for service in ("docker", "fail2ban"):
    systemd.service(service=f"{service}.service", running=True, enabled=True)
