"""A program in a real terminal (tmux), and what was on its screen, as text or as a picture."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from uuid import uuid4

_ROOT = Path(__file__).resolve().parents[2]
_FORMAT = """\
<svg viewBox="0 0 {width} {height}" width="{width}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px "DejaVu Sans Mono", Menlo, Consolas, monospace }}
.{unique_id}-title {{ display: none }}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_NOISE = (
    (re.compile(r' clip-path="[^"]*"'), ""),
    (re.compile(r"<text [^>]*>\s*</text>"), ""),
    (re.compile(r"&#160;"), "\u00a0"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
"""What Rich writes and no viewer needs: each line fits, and no font is fetched."""
_INDENTED = re.compile(
    r'x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="(?P<length>[\d.]+)">(?P<spaces>\u00a0+)'
)
_COLUMN = 12.2
"""How wide Rich draws a letter."""


def shown(argv: Sequence[str], width: int, seconds: float = 120) -> str:
    """Run a program in a terminal; return all that it left there, with its colours as escape sequences."""
    socket, end = f"kbz-{uuid4().hex[:8]}", f"end-{uuid4().hex[:8]}"
    tmux = ["tmux", "-L", socket, "-f", "/dev/null"]
    # Until what was printed has been read: the terminal's own word that it saw the end.
    line = f"{shlex.join(argv)}; tmux wait-for -S {end}; sleep {int(seconds)}"
    setting = [
        "set-option",
        "-g",
        "history-limit",
        "5000",
        ";",
        "set-option",
        "-g",
        "status",
        "off",
        ";",
    ]
    size = ["-x", str(width), "-y", "50", "-c", str(_ROOT)]
    subprocess.run([*tmux, *setting, "new-session", "-d", *size, line], check=True)
    try:
        subprocess.run([*tmux, "wait-for", end], check=True, timeout=seconds)
        taken = subprocess.run(
            [*tmux, "capture-pane", "-p", "-e", "-S", "-"],
            check=True,
            capture_output=True,
            text=True,
        )
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    return taken.stdout.rstrip() + "\n"


def picture(screen: str, width: int) -> str:
    """Return what a terminal showed as an SVG that loads nothing from elsewhere."""
    from rich.console import Console
    from rich.text import Text

    lines = screen.rstrip("\n").split("\n")
    console = Console(record=True, file=io.StringIO(), width=width, force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line.rstrip()), soft_wrap=True)
    made = console.export_svg(title="", code_format=_FORMAT, unique_id="t")
    for pattern, instead in _NOISE:
        made = pattern.sub(instead, made)
    return re.sub(r"\n{2,}", "\n", _INDENTED.sub(_moved, made))


def _moved(text: re.Match[str]) -> str:
    """Put a text where its first letter is: some viewers drop the spaces before it."""
    spaces = len(text["spaces"]) * _COLUMN
    x, length = float(text["x"]) + spaces, float(text["length"]) - spaces
    return f'x="{x:g}" y="{text["y"]}" textLength="{length:.5g}">'


def words(svg: str) -> list[str]:
    """Return the words that a picture shows, in their order."""
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", svg)
    return " ".join(unescape(text) for text in texts).replace("\u00a0", " ").split()
