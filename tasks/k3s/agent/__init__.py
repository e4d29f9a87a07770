"""K3s' part of the agent."""

HOST = {"k3s-certificates": "certificates"}
