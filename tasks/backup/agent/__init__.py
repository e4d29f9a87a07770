"""The part of the agent that reads an archive of backups (keybuzz.agent.parts)."""

HOST = {"backups": "look"}
