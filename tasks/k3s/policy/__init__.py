"""What applications keep to that run in K3s (keybuzz.policy.modules)."""

from tasks.k3s.policy.workloads import K3S_3

RULES = (K3S_3,)
