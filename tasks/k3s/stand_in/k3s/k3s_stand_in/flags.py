"""Flags and variables, as older installations start K3s: variables first, then config.yaml, then flags."""

from __future__ import annotations

from collections.abc import Mapping

from k3s_stand_in.config import COMMON, LISTS, SERVER, FatalError, Value

SHORT = {"-t": "--token", "-s": "--server", "-c": "--config"}
SWITCHES = {"cluster-init", "cluster-reset", "secrets-encryption"}
"""They take no value of their own: `--cluster-init` is true."""
VARIABLES = {
    "K3S_TOKEN": "token",
    "K3S_URL": "server",
    "K3S_CLUSTER_INIT": "cluster-init",
    "K3S_NODE_NAME": "node-name",
    "K3S_KUBECONFIG_MODE": "write-kubeconfig-mode",
}


def from_words(words: list[str], role: str) -> dict[str, Value]:
    """Return what flags say; one that is unknown ends K3s, for a server too."""
    known = {*(SERVER if role == "server" else COMMON), "config"}
    found: dict[str, Value] = {}
    rest = list(words)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        name = SHORT.get(word, word).removeprefix("--")
        if not word.startswith("-") or name not in known:
            raise FatalError(f"flag provided but not defined: {word}")
        if name in SWITCHES:
            value = value if equals else "true"
        elif not equals:
            if not rest:
                raise FatalError(f"flag needs an argument: {word}")
            value = rest.pop(0)
        if name in LISTS:
            before = found.get(name, [])
            found[name] = [*(before if isinstance(before, list) else []), *value.split(",")]
        else:
            found[name] = value
    return found


def from_variables(environment: Mapping[str, str], role: str) -> dict[str, Value]:
    """Return what variables say; an agent knows fewer."""
    known = SERVER if role == "server" else COMMON
    return {
        name: environment[variable]
        for variable, name in VARIABLES.items()
        if environment.get(variable) and name in known
    }
