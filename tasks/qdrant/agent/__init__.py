"""The part of the agent that knows Qdrant (keybuzz.agent.parts)."""

NETWORK = {"qdrant": "look"}
MARKS = {"qdrant": "marks"}
