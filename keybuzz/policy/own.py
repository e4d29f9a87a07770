"""The site's own files by SEC-2, which names servers.tsv first: a column of notes is where people write passwords."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from keybuzz.policy.check import judged_by
from keybuzz.policy.files import read_paths
from keybuzz.policy.load import load_context
from keybuzz.policy.rules.secrets import SEC_2
from keybuzz.policy.violation import Violation
from keybuzz.site.load import Configuration


def own_secrets(configuration: Configuration, today: date) -> tuple[Violation, ...]:
    """Return the secrets in the files that describe the site."""
    named = (
        configuration.servers,
        configuration.groups,
        configuration.versions,
        configuration.policies,
        configuration.site,
        configuration.overlay,
        configuration.path,
    )
    present = [path for path in named if path is not None and path.is_file()]
    reading = read_paths(present, Path.cwd())
    return judged_by((SEC_2,), reading.documents, load_context(configuration, today))
