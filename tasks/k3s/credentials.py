"""The credentials of K3s in the store (SEC-1). Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

_K3S = ("k3s-masters", "k3s-workers")

CREDENTIALS = (Credential("K3S_TOKEN", "k3s.env", "", _K3S, length=48),)
