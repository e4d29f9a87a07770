"""The part of the agent that knows K3s (keybuzz.agent.parts)."""

KINDS = {
    "k3s-drained": "k3s",
    "k3s-forgotten": "k3s",
    "k3s-manifest": "k3s",
    "k3s-schedulable": "k3s",
    "k3s-snapshot": "k3s",
    "k3s-start": "start",
    "k3s-token": "token",
    "k3s-token-rotated": "token",
}
HOST = {
    "k3s": "api",
    "k3s-certificates": "certificates",
    "pod-network": "pod_network",
}
MARKS = {"k3s": "marks"}
PLACES = dict.fromkeys((*KINDS, "k3s", "k3s-certificates"), "the API of K3s")
SECRET_FILES = {"node-token": "a token of nodes", "agent-token": "a token of agents"}
