"""Parameters, and the servers on which some of them have another value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class HostValues:
    """The settled values of a site, and what single servers have instead."""

    common: Mapping[str, str] = field(default_factory=dict)
    """Parameter to value."""
    patterns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pattern of server names (`*-02`) to parameter to value, in the order of the file."""

    def of(self, server: str, name: str) -> str | None:
        """Return the value on one server: of the last pattern that matches and has it, else the common one."""
        value = self.common.get(name)
        for pattern, values in self.patterns.items():
            if fnmatchcase(server, pattern):
                value = values.get(name, value)
        return value
