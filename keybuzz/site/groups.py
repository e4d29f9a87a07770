"""inventory/groups.yaml, from bytes to a checked GroupCatalogue (keybuzz/model/inventory/group.py)."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import MappingProxyType

from keybuzz.model.inventory.group import (
    SELECTABLE,
    ExcludedHost,
    Group,
    GroupCatalogue,
    HostAlias,
    Vocabulary,
)
from keybuzz.model.inventory.server import VirtualAddress
from keybuzz.site.files.problems import Problems, nearest, read_file, shown
from keybuzz.site.files.yaml_tree import Scalar, Tree, TreeReader, parse_fields

__all__ = ["FLEET_NETWORK", "Group", "GroupCatalogue", "load_groups", "parse_groups"]

FLEET_NETWORK = IPv4Network("10.0.0.0/16")
"""The private network that every server, and every load balancer, has its address in."""
_LIMIT = 1 << 20
_WORD = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)
_SECTIONS = ("vocabulary", "groups", "host_aliases", "virtual_addresses", "excluded")
_MOST_HOSTS = FLEET_NETWORK.num_addresses


def load_groups(path: Path) -> GroupCatalogue:
    """Read groups.yaml; InputError with file:line for each thing that is wrong in it."""
    return parse_groups(read_file(path, _LIMIT), str(path))


def parse_groups(content: bytes, source: str) -> GroupCatalogue:
    """Return the catalogue; InputError names every problem with its line."""
    top = parse_fields(content, source)
    problems = Problems(source)
    catalogue = _CatalogueReader(problems).catalogue(top, source)
    problems.raise_if_any()
    return catalogue


class _CatalogueReader(TreeReader):
    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self._lines: dict[str, int] = {}

    def catalogue(self, top: Tree, source: str) -> GroupCatalogue:
        sections = self.fields(top, "the file", _SECTIONS)
        self.problems.raise_if_any()
        vocabulary = self._vocabulary(sections["vocabulary"])
        groups = tuple(
            self._group(key, value, vocabulary)
            for key, value in self.entries(sections["groups"], "groups")
        )
        names = tuple(group.name for group in groups)
        return GroupCatalogue(
            groups=groups,
            virtual_addresses=self._virtual_addresses(sections["virtual_addresses"], names),
            excluded=tuple(
                ExcludedHost(self._name(key), self.text(value, f"the reason for {key.text}"))
                for key, value in self.entries(sections["excluded"], "excluded")
            ),
            host_aliases=tuple(
                HostAlias(self._name(key), self.text(value, f"host of {key.text}"), key.line)
                for key, value in self.entries(sections["host_aliases"], "host_aliases")
            ),
            vocabulary=vocabulary,
            source=source,
        )

    def _name(self, name: Scalar) -> str:
        """Return a name after checking its form, and that no other entry of the file has it."""
        if not _WORD.fullmatch(name.text):
            what = f"{shown(name.text)} is not a name"
            self.problems.add(name.line, what, "use lower-case letters, digits, - and _")
        self._distinct(name.text, name.line)
        return name.text

    def _distinct(self, word: str, line: int) -> None:
        if word in self._lines:
            what = f"{shown(word)} is already used on line {self._lines[word]}"
            self.problems.add(line, what, "give each group, alias and load balancer its own")
        self._lines.setdefault(word, line)

    def _vocabulary(self, tree: Tree) -> Vocabulary:
        known = self.fields(tree, "vocabulary", ("environments", "roles"))
        if not known:
            return Vocabulary((), MappingProxyType({}))
        roles = {
            role.text: self.texts(subroles, f"role {role.text}")
            for role, subroles in self.entries(known["roles"], "roles")
        }
        environments = self.texts(known["environments"], "environments")
        return Vocabulary(environments, MappingProxyType(roles))

    def _group(self, name: Scalar, tree: Tree, vocabulary: Vocabulary) -> Group:
        what = f"group {name.text}"
        self._name(name)
        known = self.fields(tree, what, ("module", "title", "select", "expected"), ("aliases",))
        if not known:
            return Group(name.text, "", 0, (), 0, (), name.line)
        aliases = self.items(known["aliases"], f"aliases of {what}") if "aliases" in known else ()
        return Group(
            name=name.text,
            title=self.text(known["title"], f"title of {what}"),
            module=self.number(known["module"], f"module of {what}", 2, 99),
            select=self._select(known["select"], what, vocabulary),
            expected=self.number(known["expected"], f"expected of {what}", 1, _MOST_HOSTS),
            aliases=tuple(self._alias(alias, f"an alias of {what}") for alias in aliases),
            line=name.line,
        )

    def _alias(self, tree: Tree, what: str) -> str:
        return self._name(Scalar(self.text(tree, what), tree.line))

    def _select(
        self, tree: Tree, group: str, vocabulary: Vocabulary
    ) -> tuple[tuple[str, str], ...]:
        pairs: dict[str, str] = {}
        for column, value in self.entries(tree, f"select of {group}"):
            if column.text not in SELECTABLE:
                what = f"{group} cannot select by {shown(column.text)}"
                self.problems.add(column.line, what, nearest(column.text, SELECTABLE))
                continue
            pairs[column.text] = self.text(value, f"{column.text} of {group}")
            words = _words_of(column.text, pairs.get("ROLE", ""), vocabulary)
            if words and pairs[column.text] not in words:
                what = f"{group} selects the unknown {column.text} {shown(pairs[column.text])}"
                self.problems.add(value.line, what, nearest(pairs[column.text], words))
        return tuple(pairs.items())

    def _virtual_addresses(self, tree: Tree, groups: tuple[str, ...]) -> tuple[VirtualAddress, ...]:
        found = []
        for key, value in self.entries(tree, "virtual_addresses"):
            what = self._name(key)
            known = self.fields(value, what, ("address", "ports", "targets"))
            if not known:
                continue
            ports = self.items(known["ports"], f"ports of {what}")
            targets = self.texts(known["targets"], f"targets of {what}")
            for target in targets:
                if target and target not in groups:
                    text = f"{what} leads to the unknown group {shown(target)}"
                    self.problems.add(known["targets"].line, text, nearest(target, groups))
            numbers = tuple(self.number(port, f"a port of {what}", 1, 65535) for port in ports)
            address = self._address(known["address"], what)
            found.append(VirtualAddress(what, address, numbers, targets))
        return tuple(found)

    def _address(self, tree: Tree, what: str) -> IPv4Address:
        text = self.text(tree, f"address of {what}")
        try:
            address = IPv4Address(text)
        except ValueError:
            address = FLEET_NETWORK.network_address
        if address in FLEET_NETWORK and address != FLEET_NETWORK.network_address:
            self._distinct(str(address), tree.line)
        elif text:
            hint = f"write an IPv4 address inside {FLEET_NETWORK}"
            self.problems.add(tree.line, f"address of {what} is {shown(text)}", hint)
        return address


def _words_of(column: str, role: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the closed words of a column; () when it has none (DOCKER_STACK)."""
    if column == "ROLE":
        return tuple(vocabulary.roles)
    if column == "SUBROLE":
        everyone = tuple(word for words in vocabulary.roles.values() for word in words)
        return vocabulary.roles.get(role, everyone)
    return ()
