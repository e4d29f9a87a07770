"""What mkdocs does not know of this repository: pages outside of docs/, links to what is no page, and the order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages of the repository's root, and what they are called on the site."""
NAV: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("index.md", "quickstart.md", "screens/*", "production.md", "changelog.md")),
    ("How-to", ("how-to/*",)),
    (
        "Use",
        (
            "health.md", "drift.md", "history.md", "preflight.md", "credentials.md", "versions.md",
            "restart-and-replace.md", "recover-galera.md", "drills.md", "policies.md", "nornir-scripts.md",
        ),
    ),
    ("Runbooks", ("runbooks/*",)),
    (
        "Understand",
        (
            "architecture.md", "lab.md", "states.md", "requirements.md", "k3s.md", "images.md", "patroni-image.md",
            "pains/*", "benchmarks.md", "contributing.md",
        ),
    ),
    ("Reference", ("reference/*",)),
)  # fmt: skip
"""Tabs, and their pages in order."""
REST = "Use"
"""The tab at whose end a page comes that no tab names."""
_LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Give the site its order."""
    named = {title: _pages(pages) for title, pages in NAV}
    known = {page for pages in named.values() for page in pages}
    every = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    new = (page for page in every - known if not page.startswith("examples/"))
    named[REST] += sorted(new)
    config["nav"] = [{title: pages} for title, pages in named.items()]
    return config


def _pages(wanted: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for page in wanted:
        folder, star, _ = page.partition("*")
        if not star:
            found.append(page)
            continue
        names = sorted(path.name for path in (ROOT / "docs" / folder).glob("*.md"))
        names.sort(key=lambda name: name != "README.md")
        found += [folder + name for name in names]
    return found


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository's root."""
    for name, page in OUTSIDE.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links to the pages of the site; of what is no page, the words and the path stay."""
    del config, files
    outside = {made: name for name, made in OUTSIDE.items()}.get(page.file.src_uri)
    here = (ROOT / outside).parent if outside else (ROOT / "docs" / page.file.src_uri).parent
    depth = page.file.src_uri.count("/")

    def led(match: re.Match[str]) -> str:
        picture, words, target, anchor = match[1], match[2], match[3], match[4] or ""
        if "://" in target:
            return match[0]
        path = (here / target).resolve()
        name = path.relative_to(ROOT).as_posix()
        if name in OUTSIDE:
            return f"{picture}[{words}]({'../' * depth}{OUTSIDE[name]}{anchor})"
        if not name.startswith("docs/") or path.suffix not in (".md", ".svg", ".png"):
            return words if words.strip("`") == name else f"{words} (`{name}`)"
        return f"{picture}[{words}]({'../' * depth}{name.removeprefix('docs/')}{anchor})"

    return _LINK.sub(led, markdown)
