"""config.yaml and config.yaml.d, as far as K3s' own files go: keys with a scalar or a list of scalars."""

from __future__ import annotations

import glob
import json
import sys

CONFIG = "/etc/rancher/k3s/config.yaml"
COMMON = {
    *("node-name", "node-ip", "token", "server", "flannel-iface", "resolv-conf", "kubelet-arg"),
    *("node-label", "node-taint", "private-registry", "data-dir"),
}
SERVER = COMMON | {
    *("cluster-reset", "cluster-reset-restore-path"),
    *("cluster-init", "advertise-address", "tls-san", "write-kubeconfig-mode", "disable"),
    *("flannel-backend", "cluster-cidr", "service-cidr", "kube-controller-manager-arg"),
    *("etcd-snapshot-retention", "etcd-snapshot-schedule-cron", "secrets-encryption"),
}
LISTS = {"tls-san", "disable", "kubelet-arg", "kube-controller-manager-arg", "node-label"}

Value = str | list[str]


class FatalError(Exception):
    """What the real program writes as level=fatal before it ends."""


def say(level: str, text: str) -> None:
    print(f'level={level} msg="{text}"', file=sys.stderr, flush=True)


def load(path: str, role: str) -> dict[str, Value]:
    """Return the file, with each file of its directory laid over it; a list replaces a list."""
    found: dict[str, Value] = {}
    for name in [path, *sorted(glob.glob(f"{path}.d/*.yaml"))]:
        try:
            with open(name, encoding="utf-8") as file:
                found.update(parse(file.read(), name))
        except FileNotFoundError:
            continue
    for key in [key for key in found if key not in (SERVER if role == "server" else COMMON)]:
        if role != "server":
            raise FatalError(f"flag provided but not defined: -{key}")
        say("warning", f"Unknown flag --{key} found in config.yaml, skipping")
        del found[key]
    for key in LISTS & set(found):
        value = found[key]
        found[key] = value.split(",") if isinstance(value, str) else value
    return found


def parse(text: str, name: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if bare.startswith("- ") and key:
            value = found[key]
            items = value if isinstance(value, list) else []
            found[key] = [*items, _scalar(bare[2:], name, number)]
            continue
        key, colon, rest = bare.partition(":")
        if line[0].isspace() or not colon or (rest and rest[0] != " "):
            raise FatalError(f"{name}: line {number}: could not find expected ':'")
        found[key] = _scalar(rest.strip(), name, number)
    return found


def _scalar(text: str, name: str, number: int) -> str:
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            raise FatalError(f"{name}: line {number}: found unexpected end of stream") from None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text[:1] in "[{&*!|>%@`" and text:
        raise FatalError(f"{name}: line {number}: the stand-in reads no {text[0]} here")
    return text.split(" #")[0].strip()


def one(config: dict[str, Value], key: str, default: str = "") -> str:
    value = config.get(key, default)
    return value if isinstance(value, str) else value[-1]


def many(config: dict[str, Value], key: str) -> list[str]:
    value = config.get(key, [])
    return value if isinstance(value, list) else [value]


def argument(config: dict[str, Value], key: str, name: str, default: str) -> str:
    """Return one `name=value` of a list of arguments, such as kubelet-arg."""
    pairs = (item.partition("=") for item in many(config, key))
    return {name_: value for name_, _, value in pairs}.get(name, default)
