"""The modules: what the hosts of KeyBuzz must be. One folder each; nothing else knows their names."""


def with_agent() -> tuple[str, ...]:
    """Return the folders of the modules that bring a part of the agent, `agent`.

    On a host this file is written by the controller (keybuzz.transport.bundle), and says the same.
    """
    from pathlib import Path

    parts = Path(__file__).parent.glob("*/agent/__init__.py")
    return tuple(sorted(path.parents[1].name for path in parts))
