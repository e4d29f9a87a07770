"""Takes the place of the product's modules in a run of its own."""

from pathlib import Path


def with_agent() -> tuple[str, ...]:
    """Return the folders of the modules that bring a part of the agent: none here."""
    return ()


def with_file(name: str) -> tuple[str, ...]:
    """Return the folders of the modules that have this file."""
    return tuple(path.parent.name for path in Path(__file__).parent.glob(f"*/{name}"))
