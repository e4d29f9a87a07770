"""`kbz completion`."""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

_BASH = r"""%(complete_func)s() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} response completion type value
    # bash ends a word at = : and @, which terms of --limit hold: kbz reads the line, and gets back what bash replaces.
    local word=${line##*[[:space:]]} kept=""
    [[ -n $word ]] || line="$line ''"
    [[ $word != --*=* ]] || word=${word#*=}
    [[ $word != *[=:]* ]] || kept=${word%%"${word##*[=:]}"}
    [[ $word != *@* ]] || kept=${word%%@*}
    response=$(env COMP_WORDS="$line" COMP_CWORD=-1 %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$kept"}") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _InOneWord(ShellComplete):
    """Completes `--limit=TERM` as `--limit TERM`, also of a group whose default verb is meant."""

    joined = True
    """The shell replaces the whole word, the option too."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, begun = incomplete.partition("=")
        if not equals or not option.startswith("--"):
            return super().get_completions(args, incomplete)
        found = super().get_completions([*args, option], begun)
        head = f"{option}=" if self.joined else ""
        return [CompletionItem(head + item.value, item.type, item.help) for item in found]


class _Bash(_InOneWord, BashComplete):
    """For words that hold what ends a word in bash."""

    source_template = _BASH
    joined = False


class _Zsh(_InOneWord, ZshComplete):
    """As click's."""


class _Fish(_InOneWord, FishComplete):
    """For words that hold a comma: only the first one parts the kind from the word."""

    source_template = FishComplete.source_template.replace("string split ", "string split -m 1 ")


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Let click ask these, when a shell asks kbz."""
    for shell in _SHELLS.values():
        add_completion_class(shell)


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete verbs, options, hosts, groups, modules and ids.

    bash, in ~/.bashrc: eval "$(kbz completion bash)". zsh, in ~/.zshrc: eval "$(kbz completion zsh)".
    fish: kbz completion fish > ~/.config/fish/completions/kbz.fish
    """
    root = click.get_current_context().find_root()
    click.echo(_SHELLS[shell](root.command, {}, "kbz", "_KBZ_COMPLETE").source())
