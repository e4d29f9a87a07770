"""The part of the agent that knows ProxySQL (keybuzz.agent.parts)."""

KINDS = {
    "proxysql-no-user": "proxysql",
    "proxysql-tables": "proxysql",
    "proxysql-variables": "proxysql",
    "proxysql-open": "switches",
    "proxysql-startup": "switches",
    "proxysql-writer": "switches",
}
MARKS = {"proxysql": "marks"}
