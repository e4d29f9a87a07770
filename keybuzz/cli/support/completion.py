"""`kbz completion`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

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


class _Bash(BashComplete):
    """As click's, for words that hold what ends a word in bash."""

    source_template = _BASH


class _Fish(FishComplete):
    """As click's, for words that hold a comma: only the first one parts the kind from the word."""

    source_template = FishComplete.source_template.replace("string split ", "string split -m 1 ")


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": _Fish}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete verbs, options, hosts, groups, modules and ids.

    bash, in ~/.bashrc: eval "$(kbz completion bash)". zsh, in ~/.zshrc: eval "$(kbz completion zsh)".
    fish: kbz completion fish > ~/.config/fish/completions/kbz.fish
    """
    root = click.get_current_context().find_root()
    click.echo(_SHELLS[shell](root.command, {}, "kbz", "_KBZ_COMPLETE").source())
