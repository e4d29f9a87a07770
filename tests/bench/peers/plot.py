"""Draws lines over a number of hosts, by pygal: words as JSON on stdin, the SVG on stdout."""

from __future__ import annotations

import json
import re
import sys

import pygal
from pygal.style import CleanStyle

words = json.load(sys.stdin)
chart = pygal.XY(
    style=CleanStyle,
    width=720,
    height=400,
    title=words["title"],
    x_title="hosts",
    legend_at_bottom=True,
    legend_at_bottom_columns=2,
    include_x_axis=True,
    x_labels=words["hosts"],
    js=(),
    disable_xml_declaration=True,
    no_prefix=True,
)
for name, values in words["lines"].items():
    points = zip(words["hosts"], values, strict=True)
    chart.add(name, [(x, y) for x, y in points if y is not None])
# Its script is for tooltips, and comments name its site: a page of docs loads nothing.
drawn = chart.render(is_unicode=True)
sys.stdout.write(re.sub(r"<script.*?</script>|<!--.*?-->", "", drawn, flags=re.DOTALL))
