"""What is known of a site without asking any host: its files, and what the journal remembers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from keybuzz.engine.look.looks import VERBS, LastLook, last_look
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.forgetful import read_or
from keybuzz.engine.memory.journal import Journal, RunRecord
from keybuzz.report.machine.prometheus import prometheus_page
from keybuzz.report.page.page import Facts, Json, page_text
from keybuzz.report.page.past import Past, past_of
from keybuzz.report.page.sheet import sheet_of_document
from keybuzz.report.text.inventory import by_own_group
from keybuzz.site.site import Site


@dataclass(frozen=True, slots=True)
class Memory:
    """A site and its journal, read anew at each call."""

    site: Site
    journal: Journal
    documents: Documents
    means: Mapping[str, str]
    """What each check means, by id."""
    last: int
    """How many runs of each kind a page shows."""
    clock: Callable[[], float] = time.time

    def page(self) -> str:
        """Return the page with the last known health."""
        look = self._look("health")
        return (
            self.page_with(None, None)
            if look is None
            else self.page_with(look.document, look.moment)
        )

    def page_with(self, health: Json | None, looked: float | None) -> str:
        """Return the page with this answer of health, which hosts gave at the moment `looked`; None: just now.

        A journal that cannot be read leaves the page without a past; its `trouble` says why.
        """
        nothing: tuple[RunRecord, ...] = ()
        newest = read_or(self.journal, lambda: self.journal.runs(1), nothing)
        past = read_or(
            self.journal, lambda: past_of(self.journal, self.documents, self.last), Past()
        )
        lab = self.site.settings.lab
        return page_text(
            Facts(
                where="KeyBuzz" if lab is None else f"KeyBuzz, lab {lab.name}",
                revision=newest[0].revision if newest else "",
                made=self.clock(),
                zone=datetime.now(UTC).astimezone().tzinfo or UTC,
                groups=by_own_group(self.site.servers, self.site.catalogue),
                past=past,
                health=health,
                looked=looked,
                means=self.means,
            )
        )

    def metrics(self) -> str:
        """Return the last known answer of each verb that looks for Prometheus, each with the moment of its look."""
        looks = [look for verb in VERBS if (look := self._look(verb)) is not None]
        if not looks:
            return "# no kbz health and no kbz drift is remembered yet\n"
        return prometheus_page((sheet_of_document(look.document), look.moment) for look in looks)

    def _look(self, verb: str) -> LastLook | None:
        servers = frozenset(server.name for server in self.site.servers)
        return last_look(self.journal, self.documents, verb, servers)
