"""One declared parameter, and how its reader takes it from a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.problems import shown
from keybuzz.site.parameters.forms import Form
from keybuzz.site.site import Site

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parameter(Generic[T]):
    """A settled value of site.yaml: the module that reads it declares it."""

    name: str
    """`AREA.word`, as site.yaml has it."""
    form: Form[T]
    meaning: str
    """One sentence: what the value decides."""
    default: str | None = None
    """The text that counts when site.yaml says nothing; None: site.yaml must say."""

    def of(self, site: Site) -> T:
        """Return the site's value; InputError when it is missing or of another form."""
        return self._parsed(site.settings.parameters.get(self.name, self.default))

    def on(self, site: Site, server: Server) -> T:
        """Return the value as it is on one server: `hosts` of site.yaml may say another."""
        return self._parsed(site.settings.on(server.name, self.name) or self.default)

    def _parsed(self, text: str | None) -> T:
        if text is None:
            raise InputError(f"parameter {self.name} is not set", where="site.yaml", hint="add it")
        problem = self.problem(text)
        if problem:
            raise InputError(problem, where="site.yaml", hint=self.hint)
        return self.form.parse(text)

    def problem(self, text: str) -> str:
        """Return what is wrong with a text; an empty string when nothing is."""
        try:
            self.form.parse(text)
        except ValueError:
            return f"{self.name} is {shown(text)}, and must be {self.form.words}"
        return ""

    @property
    def hint(self) -> str:
        """What to do about a wrong value."""
        more = f" The default is {self.default}." if self.default is not None else ""
        return f"{self.meaning}{more}"
