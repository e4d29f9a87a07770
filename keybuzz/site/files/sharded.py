"""The options of the runner `kbz_sharded` in nornir_config.yaml, each problem with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keybuzz.model.inventory.shards import BackEnd, Pool, Relay, ShardOptions, Tls
from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.files.yaml_tree import Tree, TreeReader

SHARDED = "kbz_sharded"
MOST_WORKERS = 500
_SPANS = {"shard_size": (1, 500), "shards": (1, 64), "deadline": (1, 3600)}
_NEEDED = ("back_end", "num_workers")
_HINT = "add options: {back_end: process, num_workers: 50}"


def read_sharded(reader: TreeReader, section: Tree, options: Tree | None) -> ShardOptions:
    """Return the options, after noting their problems."""
    if options is None:
        reader.problems.add(section.line, "runner has no options", _HINT)
        return ShardOptions(BackEnd.PROCESS, 1)
    found = reader.fields(options, "runner.options", _NEEDED, (*_SPANS, "relays", "pool"))
    if not found:
        return ShardOptions(BackEnd.PROCESS, 1)
    back_end = _back_end(reader, found["back_end"])
    spans = {
        name: reader.number(found[name], f"runner.options.{name}", *span)
        for name, span in _SPANS.items()
        if name in found
    }
    workers = reader.number(found["num_workers"], "num_workers", 1, MOST_WORKERS)
    return ShardOptions(
        back_end,
        workers,
        **spans,
        relays=_relays(reader, options, found, back_end),
        pool=_pool(reader, options, found, back_end),
    )


def _back_end(reader: TreeReader, tree: Tree) -> BackEnd:
    text = reader.text(tree, "runner.options.back_end")
    words = tuple(item.value for item in BackEnd)
    if text in words:
        return BackEnd(text)
    if text:
        what = f"back_end is {shown(text)}"
        reader.problems.add(tree.line, what, nearest(text, words))
    return BackEnd.PROCESS


def _relays(
    reader: TreeReader, options: Tree, found: Mapping[str, Tree], back_end: BackEnd
) -> dict[str, Relay]:
    if back_end is not BackEnd.RELAY:
        _of_another(reader, found, "relays", back_end, BackEnd.RELAY)
        return {}
    if "relays" not in found:
        what = "back_end is relay, and there are no relays"
        hint = "add relays: with an entry for each region, such as fsn1: {address: …, python: …, config: …}"
        reader.problems.add(options.line, what, hint)
        return {}
    entries = reader.entries(found["relays"], "runner.options.relays")
    return {key.text: _relay(reader, key.text, tree) for key, tree in entries}


def _of_another(
    reader: TreeReader, found: Mapping[str, Tree], name: str, back_end: BackEnd, needs: BackEnd
) -> None:
    if name in found:
        verb = "are" if name.endswith("s") else "is"
        what = f"{name} {verb} given, and back_end is {back_end.value}"
        hint = f"write back_end: {needs.value}, or remove {name}"
        reader.problems.add(found[name].line, what, hint)


def _pool(
    reader: TreeReader, options: Tree, found: Mapping[str, Tree], back_end: BackEnd
) -> Pool | None:
    if back_end is not BackEnd.DASK:
        _of_another(reader, found, "pool", back_end, BackEnd.DASK)
        return None
    if "pool" not in found:
        what = "back_end is dask, and there is no pool"
        hint = "add pool: {address: HOST:PORT, regions: […], ca: …, cert: …, key: …}"
        reader.problems.add(options.line, what, hint)
        return None
    fields = reader.fields(found["pool"], "pool", ("address", "regions", "ca", "cert", "key"), ())
    if not fields:
        return None
    files = [_file(reader, fields[key], f"pool.{key}") for key in ("ca", "cert", "key")]
    regions = reader.texts(fields["regions"], "pool.regions")
    if not regions:
        reader.problems.add(fields["regions"].line, "pool.regions is empty", "name its regions")
    return Pool(_address(reader, fields["address"]), tuple(regions), Tls(*files))


def _address(reader: TreeReader, tree: Tree) -> str:
    text = _word(reader, tree, "pool.address")
    host, _, port = text.rpartition(":")
    if text and not (host and "/" not in host and port.isdecimal() and 0 < int(port) < 65536):
        what = f"pool.address is {shown(text)}"
        hint = "write HOST:PORT; it is always reached over TLS"
        reader.problems.add(tree.line, what, hint)
    return text


def _file(reader: TreeReader, tree: Tree, name: str) -> Path:
    text = reader.text(tree, name)
    if text and not text.startswith("/"):
        what = f"{name} is {shown(text)}, which is no absolute path"
        reader.problems.add(tree.line, what, "write the path from / on")
    return Path(text)


def _relay(reader: TreeReader, region: str, tree: Tree) -> Relay:
    name = f"relays.{region}"
    fields = reader.fields(tree, name, ("address", "python", "config"), ("user", "port"))
    words = {
        key: _word(reader, value, f"{name}.{key}") for key, value in fields.items() if key != "port"
    }
    for key in ("python", "config"):
        if words.get(key) and not words[key].startswith("/"):
            what = f"{name}.{key} is {shown(words[key])}, which is no absolute path"
            reader.problems.add(fields[key].line, what, "write the path on the relay, from / on")
    port = reader.number(fields["port"], f"{name}.port", 1, 65535) if "port" in fields else 22
    return Relay(
        region,
        words.get("address", ""),
        words.get("python", ""),
        words.get("config", ""),
        words.get("user", "root"),
        port,
    )


def _word(reader: TreeReader, tree: Tree, name: str) -> str:
    """Return a text that can stand in a command line of SSH: no space, no quote, no option."""
    text = reader.text(tree, name)
    if text and (not all(c.isalnum() or c in "/._-:@" for c in text) or text[0] == "-"):
        what = f"{name} is {shown(text)}"
        reader.problems.add(tree.line, what, "use letters, digits and / . _ - only")
        return ""
    return text
