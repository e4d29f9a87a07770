"""K3s for those who use it: endpoint, protocol, credentials and where older ones lie. Data only."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places
from keybuzz.model.reports.drill import WorkloadKind
from keybuzz.site.credentials.schema import Credential

HTTP = WorkloadKind("http", "http.client", "of Python itself", "tasks.k3s.drill.client")
"""What clients speak, also through the entries to the cluster; for drills."""

_K3S = ("k3s-masters", "k3s-workers")

CREDENTIALS = (
    Credential("K3S_TOKEN", "k3s.env", "", _K3S, length=48, former_file="k3s_token.txt"),
)

PLACES = (
    Places(
        "K3S_TOKEN",
        ("K3S_TOKEN",),
        ("--token",),
        (
            ("/etc/rancher/k3s/config.yaml", r"^token:\s*(\S+)"),
            ("/etc/systemd/system/k3s*.service.env", r"^K3S_TOKEN=(.+)$"),
            ("/etc/systemd/system/k3s*.service", r"--token[= ]['\"]?([^\s'\"\\]+)"),
            ("/var/lib/rancher/k3s/server/token", r"\A(?:K10[0-9a-f]{64}::server:)?(\S+)\s*\Z"),
        ),
    ),
)
