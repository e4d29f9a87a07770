"""inventory/applications.yaml, from bytes to checked Applications; what is wrong is told with file and line."""

from __future__ import annotations

from pathlib import Path

from keybuzz.site.applications.described import Application, Applications
from keybuzz.site.applications.names import APPLICATION
from keybuzz.site.applications.offer import SHARED, Offer
from keybuzz.site.applications.reader import PartReader, nothing
from keybuzz.site.applications.services import offers
from keybuzz.site.files.problems import Problems, nearest, read_file, shown
from keybuzz.site.files.yaml_tree import Scalar, Tree, parse_fields

_LIMIT = 1 << 18
_LONGEST_TITLE = 100


def load_applications(path: Path | None) -> Applications:
    """Read applications.yaml; without a path there are none."""
    if path is None:
        return Applications()
    return parse_applications(read_file(path, _LIMIT), str(path))


def parse_applications(content: bytes, source: str) -> Applications:
    """Return the applications; InputError names every problem with its line."""
    problems = Problems(source)
    reader = _ApplicationsReader(problems, offers())
    top = reader.fields(parse_fields(content, source), "the file", ("applications",))
    problems.raise_if_any()
    found = reader.applications(top["applications"])
    problems.raise_if_any()
    return Applications(found, source)


class _ApplicationsReader(PartReader):
    def __init__(self, problems: Problems, offered: tuple[Offer, ...]) -> None:
        super().__init__(problems, (name for offer in offered for name in offer.taken))
        self._offers = offered

    def applications(self, tree: Tree) -> tuple[Application, ...]:
        entries = () if nothing(tree) else self.entries(tree, "applications")
        return tuple(self._application(name, value) for name, value in entries)

    def _title(self, tree: Tree, what: str) -> str:
        """Return a title of one line: it is a comment in the environment of the application."""
        title = self.text(tree, f"title of {what}")
        if not title.isprintable() or len(title) > _LONGEST_TITLE:
            words = f"write one line of at most {_LONGEST_TITLE} printable characters"
            self.problems.add(tree.line, f"title of {what} is {shown(title)}", words)
        return title

    def _application(self, name: Scalar, tree: Tree) -> Application:
        what = f"application {shown(name.text)}"
        owner = self.take(APPLICATION, name, name.text)
        keys = tuple(offer.key for offer in self._offers)
        fields = self.fields(tree, what, ("title",), keys)
        described = [offer for offer in self._offers if offer.key in fields]
        shared = {
            offer.key: word
            for offer in described
            if (word := self._shared(offer, fields[offer.key]))
        }
        return Application(
            name=owner,
            title=self._title(fields["title"], what) if fields else "",
            shared=shared,
            own={
                offer.key: offer.read(self, fields[offer.key], owner)
                for offer in described
                if offer.key not in shared
            },
            line=name.line,
        )

    def _shared(self, offer: Offer, tree: Tree) -> str:
        """Return the word for the platform's own account, or nothing; another word is a problem."""
        if not isinstance(tree, Scalar) or not offer.shared:
            return ""
        if tree.text not in offer.shared:
            what = f"{offer.key} is {shown(tree.text)}"
            hint = f"{nearest(tree.text, tuple(offer.shared))}; or describe what it has of its own"
            self.problems.add(tree.line, what, hint)
        return tree.text or SHARED
