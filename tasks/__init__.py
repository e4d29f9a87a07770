"""The modules: what the hosts of KeyBuzz must be. One folder each; nothing else knows their names."""


def with_agent() -> tuple[str, ...]:
    """Return the folders of the modules that bring a part of the agent, `agent`.

    On a host this file is written by the controller (keybuzz.transport.bundle), and says the same.
    """
    return with_file("agent/__init__.py")


def with_file(name: str) -> tuple[str, ...]:
    """Return the folders of the modules that have this file, in order."""
    from pathlib import Path

    folders = (path for path in Path(__file__).parent.iterdir() if (path / name).is_file())
    return tuple(sorted(path.name for path in folders))
