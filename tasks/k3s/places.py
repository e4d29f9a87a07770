"""Where older installations keep the credentials of this service (facts/credentials.md). Pure values."""

from __future__ import annotations

from keybuzz.model.host.candidates import Places

PLACES = (
    Places(
        "K3S_TOKEN",
        ("K3S_TOKEN",),
        ("--token",),
        (
            ("/etc/rancher/k3s/config.yaml", r"^token:\s*(\S+)"),
            ("/etc/systemd/system/k3s*.service.env", r"^K3S_TOKEN=(.+)$"),
            ("/var/lib/rancher/k3s/server/token", r"\A(?:K10[0-9a-f]{64}::server:)?(\S+)\s*\Z"),
        ),
    ),
)
