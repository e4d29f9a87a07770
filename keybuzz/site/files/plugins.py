"""The runner and the inventory plugin that nornir_config.yaml names: Nornir's own words, held to what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from keybuzz.model.inventory.shards import ShardOptions
from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.files.sharded import MOST_WORKERS, SHARDED, read_sharded
from keybuzz.site.files.yaml_tree import Fields, Scalar, Tree, TreeReader

INVENTORY = "kbz_tsv"
BOUNDED = "kbz_bounded"
RUNNERS = "nornir.plugins.runners"
"""The entry points of packages that bring one."""
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class RunnerChoice:
    """The plugin that runs tasks on hosts, by its name, and what it is made with."""

    plugin: str
    options: Mapping[str, int | bool | str]
    sharded: ShardOptions | None = None
    """Of `kbz_sharded` alone."""


def read_inventory_plugin(reader: TreeReader, tree: Tree) -> None:
    """Note a problem unless servers are read by our plugin: kbz's verbs need its typed rows."""
    name = reader.text(tree, "inventory.plugin")
    if name and name != INVENTORY:
        what = f"inventory.plugin is {shown(name)}; kbz reads its servers with {INVENTORY}"
        reader.problems.add(tree.line, what, f"write plugin: {INVENTORY}")


def read_runner(reader: TreeReader, section: Tree) -> RunnerChoice:
    """Return what the section `runner` says, after noting its problems.

    `kbz_bounded` needs `num_workers`, and `kbz_sharded` has options of its own. Any other runner that is installed
    takes what it is given: Nornir's `threaded` and `serial`, or that of another package.
    """
    fields = reader.fields(section, "runner", ("plugin",), ("options",))
    if not fields:
        return RunnerChoice(BOUNDED, {"num_workers": 1})
    plugin = reader.text(fields["plugin"], "runner.plugin")
    if plugin == BOUNDED:
        return RunnerChoice(plugin, {"num_workers": _workers(reader, section, fields)})
    if plugin == SHARDED:
        return RunnerChoice(plugin, {}, read_sharded(reader, section, fields.get("options")))
    installed = sorted(entry.name for entry in entry_points(group=RUNNERS))
    if plugin and plugin not in installed:
        what = f"no runner of Nornir is named {shown(plugin)}"
        reader.problems.add(fields["plugin"].line, what, nearest(plugin, tuple(installed)))
    return RunnerChoice(plugin, _options(reader, fields))


def _workers(reader: TreeReader, section: Tree, fields: Mapping[str, Tree]) -> int:
    if "options" not in fields:
        hint = "add options: {num_workers: 50}"
        reader.problems.add(section.line, "runner has no options", hint)
        return 1
    options = reader.fields(fields["options"], "runner", ("num_workers",))
    if not options:
        return 1
    return reader.number(options["num_workers"], "num_workers", 1, MOST_WORKERS)


def _options(reader: TreeReader, fields: Mapping[str, Tree]) -> dict[str, int | bool | str]:
    tree = fields.get("options", Fields((), 0))
    found = {}
    for key, value in reader.entries(tree, "runner.options"):
        text = reader.text(value, f"runner.options.{key.text}")
        plain = isinstance(value, Scalar) and text.isascii() and text.isdigit()
        found[key.text] = int(text) if plain else _WORDS.get(text, text)
    return found
