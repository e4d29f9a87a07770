"""The part of the agent that reads and writes mc's alias (keybuzz.agent.parts)."""

KINDS = {"minio-alias": "alias"}
