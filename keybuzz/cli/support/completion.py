"""`kbz completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete verbs, options, hosts, groups, modules and ids.

    bash, in ~/.bashrc: eval "$(kbz completion bash)". zsh, in ~/.zshrc: eval "$(kbz completion zsh)".
    fish: kbz completion fish > ~/.config/fish/completions/kbz.fish
    """
    made = get_completion_class(shell)
    root = click.get_current_context().find_root()
    assert made is not None, "click knows these shells"
    click.echo(made(root.command, {}, "kbz", "_KBZ_COMPLETE").source())
