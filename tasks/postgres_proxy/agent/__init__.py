"""The part of the agent that recognises PgBouncer (keybuzz.agent.parts)."""

SERVING = {"pgbouncer": "marks"}
