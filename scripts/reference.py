"""docs/reference, written from the code: `python -m scripts.reference` (scripts/docs), and nothing by hand there.

It also gives a check that no runbook has yet a section made of what its module says of it, so that a new module's
checks are explained from their first day; better words may take its place.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import click

from keybuzz.cli.look.explain import DOCS, sections
from keybuzz.cli.main import VERBS, cli
from keybuzz.cli.support.forms import outputs_page
from keybuzz.report.exit_codes import CODES, NAGIOS
from keybuzz.report.runbooks import Section, read_runbooks
from scripts import images_page, manpage

_NOTE = "<!-- Written by scripts/docs from the code. Do not edit: run it. -->"


def pages() -> dict[str, str]:
    """Return every page of docs/reference by its file name."""
    made: Mapping[str, Callable[[], Iterable[str]]] = {
        "commands.md": _commands,
        "outputs.md": outputs_page,
        "checks.md": _checks,
        "rules.md": _rules,
        "parameters.md": _parameters,
        "exit-codes.md": _exit_codes,
        "file-formats.md": _file_formats,
    }
    found = {name: "\n".join([_NOTE, "", *write()]).rstrip() + "\n" for name, write in made.items()}
    return {**found, "kbz.1": manpage.page()}


def main() -> None:
    """Write the pages, and the sections of runbooks that are missing; say which files changed."""
    for name, text in missing_sections().items():
        path = DOCS / "runbooks" / name
        before = path.read_text(encoding="utf-8") if path.exists() else f"# Runbook: {path.stem}\n"
        _write(path, before.rstrip() + "\n\n" + text)
    for name, text in pages().items():
        _write(DOCS / "reference" / name, text)
    _write(DOCS / "images.md", images_page.page())
    _write(DOCS / "health.md", _with_check_table((DOCS / "health.md").read_text(encoding="utf-8")))


def _with_check_table(page: str) -> str:
    """Return docs/health.md with the table of all checks as the code has them."""
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.report.check_list import check_table

    begin, end = "<!-- checks -->\n", "\n<!-- end of checks -->"
    head, rest = page.split(begin)
    infos = [info for module in all_modules() for info in module.check_infos]
    return head + begin + check_table(infos) + end + rest.split(end)[1]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote docs/{path.relative_to(DOCS)}", file=sys.stderr)


def missing_sections() -> dict[str, str]:
    """Return, by page, sections for the checks that only their module explains."""
    written = read_runbooks(DOCS / "runbooks")
    found: dict[str, list[str]] = {}
    for name, section in sections().items():
        if name not in written:
            found.setdefault(f"{section.page}.md", []).append(_section(section))
    return {page: "\n".join(parts) for page, parts in found.items()}


def _section(section: Section) -> str:
    steps = "\n".join(
        f"{n}. {step if step.endswith(('.', '?')) else f'{step}.'}"
        for n, step in enumerate(section.steps, start=1)
    )
    why = f"**Why it matters.** {_sentence(section.why)}\n\n" if section.why else ""
    return (
        f"## {section.id}\n\n**Means** ({', '.join(section.levels)}). {_sentence(section.means)}\n\n"
        f"{why}**Do.**\n\n{steps}\n"
    )


def _parameters() -> Iterator[str]:
    from keybuzz.engine.catalogue import declared

    yield "# Parameters of site.yaml"
    yield ""
    yield "Each is declared by what reads it. A name or a value that is not as here is an error with file and line."
    yield ""
    yield "| name | form | default | what it decides |"
    yield "|---|---|---|---|"
    for name, parameter in sorted(declared().items()):
        default = "" if parameter.default is None else f"`{parameter.default}`"
        yield f"| `{name}` | {parameter.form.words} | {default} | {parameter.meaning} |"


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "?")) else f"{whole}."


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "`kbz --help` and `kbz VERB --help` print the same. Exit codes: [exit-codes.md](exit-codes.md)."
    context = click.Context(cli, info_name="kbz")
    for name in VERBS:
        command = cli.get_command(context, name)
        assert command is not None
        yield from _command(command, click.Context(command, parent=context, info_name=name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield ""
    yield f"## {context.command_path}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(child, click.Context(child, parent=context, info_name=name))
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield ""
    yield f"```\n{context.command_path} {usage}\n```"
    rows = [row for parameter in command.params if (row := parameter.get_help_record(context))]
    if rows:
        yield ""
        yield "| option | |"
        yield "|---|---|"
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows)


def _checks() -> Iterator[str]:
    yield "# Checks"
    yield ""
    yield "Every id that a check can say; `kbz explain ID` prints its section of the runbook."
    found = sections()
    for page in sorted({section.page for section in found.values()}):
        yield ""
        yield f"## {page}"
        yield ""
        yield "| id | can be | means |"
        yield "|---|---|---|"
        for section in found.values():
            if section.page == page:
                anchor = section.id.replace(".", "")
                link = f"[{section.id}](../runbooks/{page}.md#{anchor})"
                yield f"| {link} | {', '.join(section.levels)} | {_cell(section.means)} |"


def _rules() -> Iterator[str]:
    from keybuzz.policy.registry import rules

    yield "# Rules of `kbz policy`"
    yield ""
    yield "Why each exists and what to write: [policies](../policies.md), or `kbz explain ID`."
    yield "What the owner requires of everything: [requirements](../requirements.md)."
    yield ""
    yield "| rule | holds | looks at |"
    yield "|---|---|---|"
    for rule in rules():
        link = f"[{rule.id}](../policies.md#{rule.id.lower()})"
        yield f"| {link} | {_cell(rule.title)} | {_cell(rule.applies_to)} |"


def _exit_codes() -> Iterator[str]:
    yield "# Exit codes"
    yield ""
    yield "Of every verb, computed from what happened. The worst host decides."
    yield ""
    yield "| code | word | means | do |"
    yield "|---|---|---|---|"
    for code, info in CODES.items():
        yield f"| {int(code)} | {info.title} | {_cell(info.means)} | {_cell(info.next_step)} |"
    yield ""
    yield "## Of `--format nagios`"
    yield ""
    yield "Monitoring plugins have codes of their own. Nothing else of kbz uses these."
    yield ""
    yield "| code | means |"
    yield "|---|---|"
    yield from (f"| {code} | {_cell(text)} |" for code, text in NAGIOS.items())


def _file_formats() -> Iterator[str]:
    from keybuzz.model.inventory.group import ExcludedHost, Group, HostAlias
    from keybuzz.model.inventory.maintenance import Maintenance
    from keybuzz.model.inventory.server import VirtualAddress
    from keybuzz.report.machine.prometheus import METRICS
    from keybuzz.site.accepted import Accepted
    from keybuzz.site.files.cells import CHECKS, OPTIONAL, UNIQUE
    from keybuzz.site.policies import Waiver
    from keybuzz.site.site import ImageVersion

    yield "# File formats"
    yield ""
    yield "A file that is wrong stops every verb before a host is asked, with file, line, and what to do."
    yield from _heading(
        "inventory/servers.tsv", "Tab-separated, UTF-8, one server a line, these columns:"
    )
    yield "| column | unique | optional |"
    yield "|---|---|---|"
    for name in CHECKS:
        yield f"| {name} | {'yes' if name in UNIQUE else ''} | {'yes' if name in OPTIONAL else ''} |"
    for title, text, kinds in (
        ("nornir_config.yaml", "Nornir's own file, in which the others are named.", ()),
        ("inventory/groups.yaml", "", (Group, HostAlias, VirtualAddress, ExcludedHost)),
        ("inventory/versions.yaml", "Each entry under `images`:", (ImageVersion,)),
        ("inventory/site.yaml", "Paths and settled values. An overlay (`user_defined.overlay`) replaces some.", ()),
        ("inventory/policies.yaml", "`freeze`: groups. `waivers`, `accepted`, `maintenance`: lists of these:",
         (Waiver, Accepted, Maintenance)),
        ("inventory/applications.yaml", "What each application needs ([how-to](../how-to/applications.md)).", ()),
    ):  # fmt: skip
        yield from _heading(title, f"{text} Commented: [{title}](../../{title}).".strip())
        for kind in kinds:
            yield from _fields(kind)
    yield from _heading("JSON", "Of `--format json`, one document on stdout; its schema:")
    for path in sorted((DOCS / "schema").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        yield f"- [{path.name}](../schema/{path.name}): {schema['title']}"
    yield from _heading(
        "Prometheus",
        "Of `--format prometheus`, and at `/metrics` of `kbz serve`; each series has the label `verb`. All are gauges.",
    )
    yield "| metric | help |"
    yield "|---|---|"
    yield from (f"| `{metric.name}` | {_cell(metric.help)} |" for metric in METRICS)


def _heading(title: str, text: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield text
    yield ""


def _fields(kind: type) -> Iterator[str]:
    """Yield a table of a dataclass' fields, with the text that stands below each in the code."""
    tree = ast.parse(dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    yield f"{(inspect.getdoc(kind) or '').splitlines()[0]}"
    yield ""
    yield "| field | kind | |"
    yield "|---|---|---|"
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) != "line":
            said = after.value if isinstance(after, ast.Expr) else None
            text = str(said.value) if isinstance(said, ast.Constant) else ""
            kind_of = _cell(ast.unparse(node.annotation))
            yield f"| {ast.unparse(node.target)} | `{kind_of}` | {_cell(text)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
