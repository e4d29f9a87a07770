"""`kbz`: the group of all verbs. A verb's module is imported when it is called, so that help is quick."""

from __future__ import annotations

import gc
import os
import sys
import threading
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import click

from keybuzz.cli.support.common import error_columns, habit_options, say_version, verbosity_options
from keybuzz.cli.support.endings import end_alike, no_core_dumps
from keybuzz.cli.support.groups import SECTIONS
from keybuzz.cli.support.lasting import make_streams_last, unsaid
from keybuzz.cli.support.place import configuration
from keybuzz.model.core.errors import KbzError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.visible import visible
from keybuzz.report.screen.fit import fit

_WIDEST = 160
"""Columns of a help text, where the terminal has as many."""
_OBJECTS_TO_A_COLLECTION = 50_000
"""Python's 700 would look through all that the imports made again and again: a tenth of a short command's time."""
UNHEARD_THREAD = "unheard-"
"""How the threads are named that may still wait for a host when a deadline has passed."""
MODULE_THREAD = "module"
"""How the threads are named that take a module each: one that was cut off may still build an image here."""

VERBS = {
    "inventory": "List, filter and draw the servers.",
    "preflight": "Look for what would stop the first run; changes nothing.",
    "plan": "Show what would change.",
    "adopt": "Say what it takes to bring what runs to its description.",
    "run": "Bring hosts to their description, behind gates, and prove it.",
    "restart": "Restart a module's containers, or reboot hosts, one member at a time.",
    "upgrade": "Run another version of an image, one member at a time, by a table of allowed steps.",
    "drift": "Report what was changed by hand, once or on a schedule; changes nothing.",
    "health": "Check hosts and clusters.",
    "status": "All clusters on one screen.",
    "render": "Write the description of hosts to files, secrets masked.",
    "drill": "Break one member on purpose under writes, measure, and restore.",
    "backup": "Take, list and verify the backups on backup-01.",
    "restore": "Bring the data of a service back as of a time, beside the living service.",
    "exec": "Run one command on many hosts.",
    "history": "Show earlier runs.",
    "resume": "Repeat the last run that did not end well.",
    "recover": "Bring a cluster back after a total stop.",
    "maintenance": "Take a host out of service for planned work, and put it back.",
    "switchover": "Hand over the lead of a cluster as planned.",
    "hosts": "Pin and forget host keys.",
    "secrets": "The credential store.",
    "versions": "Check, verify and lock the frozen images.",
    "policy": "Judge the files of applications by the rules.",
    "apps": "The applications: what each may use, and its environment.",
    "lb": "What to set at the provider's load balancers, and whether they lead where they should.",
    "workers": "The workers that ask hosts for this machine.",
    "lab": "The KeyBuzz servers on this machine.",
    "report": "One page with topology, health, drift over time and drills.",
    "serve": "The page of kbz report and /metrics over HTTP, from what is remembered; asks no host.",
    "bundle": "Write one archive for a colleague or an upstream, secrets masked.",
    "alerts": "Write alert rules for Prometheus and a dashboard for Grafana.",
    "notify": "Try out who is told of drift, health, runs and backups.",
    "explain": "What a check, a rule, a requirement or an exit code means, and what to do.",
    "completion": "Print what makes a shell complete verbs, hosts, modules and ids.",
    "help": "Print the help of a verb: kbz help run.",
}
_ROOMS = {
    "look": (
        "health",
        "status",
        "plan",
        "adopt",
        "drift",
        "render",
        "report",
        "explain",
        "history",
        "serve",
        "notify",
        "bundle",
    ),
    "change": (
        *(
            "run",
            "restart",
            "switchover",
            "upgrade",
            "maintenance",
            "recover",
            "resume",
            "drill",
            "exec",
            "backup",
        ),
        "restore",
    ),
    "site": (
        *("preflight", "inventory", "hosts", "secrets", "versions", "lb", "policy", "apps"),
        *("workers", "alerts"),
    ),
    "lab": ("lab",),
    "support": ("completion", "help"),
}
"""The room of keybuzz.cli that a verb's module is in."""
_HOME = {verb: room for room, verbs in _ROOMS.items() for verb in verbs}
_LONGEST = 400
"""Characters of a verb's sentence in the help of its group."""


class LazyGroup(click.Group):
    """Knows every verb's name and short help without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = {"exec": "execute", "help": "help_"}.get(cmd_name, cmd_name)
        home = f"keybuzz.cli.{_HOME[cmd_name]}.{module}"
        command: click.Command = getattr(import_module(home), module)
        _whole_help(command)
        _common(cmd_name, command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            near = get_close_matches(args[0], VERBS, n=2, cutoff=0.65)
            hint = f"did you mean {' or '.join(near)}?" if near else "kbz --help lists the verbs"
            raise UsageError(f"there is no verb {args[0]}", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in SECTIONS:
            with formatter.section(section.title):
                formatter.write_dl([(verb, VERBS[verb]) for verb in section.verbs])
                for line in section.examples:
                    formatter.write(f"{'':{formatter.current_indent}}$ {line}\n")


def _whole_help(command: click.Command) -> None:
    """Let a group show the first sentence of each of its verbs, however long: click would cut it."""
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        child.short_help = child.get_short_help_str(_LONGEST)
        _whole_help(child)


def _common(words: str, command: click.Command) -> None:
    """Give every verb the options that all have, once."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            _common(f"{words} {name}", child)
    elif not any("--verbose" in parameter.opts for parameter in command.params):
        command.params += [*verbosity_options(hidden=True), *habit_options(words, command)]


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST},
)
@click.option(
    "--config",
    metavar="FILE",
    help="Nornir's configuration file; else $KBZ_CONFIG, ./nornir_config.yaml, /etc/kbz/nornir_config.yaml.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=say_version,
    help="Show the version and its revision, and exit.",
)
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Install, check and maintain the KeyBuzz infrastructure.

    Exit codes: 0 good, 1 failed, 2 differences or unhealthy, 3 refused, 4 unreachable or unknown,
    64 usage, 130 interrupted.
    """
    context.obj = configuration(config)


cli.params += verbosity_options(hidden=False)


def main() -> None:
    """Entry point: errors become sentences on stderr, and every way out has its exit code."""
    gc.set_threshold(_OBJECTS_TO_A_COLLECTION)
    make_streams_last()
    no_core_dumps()
    end_alike()
    code = _main(sys.argv[1:])
    if (error := unsaid()) is not None:
        _say(f"kbz: the answer could not be written to stdout: {error.strerror}")
        code = code or ExitCode.FAILED
    sys.stderr.flush()
    left = any(
        thread.name.startswith((UNHEARD_THREAD, MODULE_THREAD)) for thread in threading.enumerate()
    )
    if code == ExitCode.INTERRUPTED or left:
        # A thread that still connects could go on to its step; nothing may begin after Ctrl-C or a deadline.
        os._exit(code)
    sys.exit(code)


def _main(arguments: list[str]) -> int:
    if "_KBZ_COMPLETE" in os.environ:
        from keybuzz.cli.support.completion import register

        register()
    try:
        result = cli.main(arguments, prog_name="kbz", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except KbzError as error:
        _say(f"kbz: {error}")
        return error.code
    except Exception as error:  # the last edge: a user never sees a traceback
        from keybuzz.cli.support.faults import explain

        found = explain(error, _configuration(arguments))
        _say(f"kbz: {found}")
        return found.code
    return result if isinstance(result, int) else ExitCode.GOOD


def _say(sentence: str) -> None:
    click.echo(fit(visible(sentence), error_columns()), err=True)


def _configuration(arguments: list[str]) -> Path:
    """Return the file that --config names, whatever else is wrong with the words."""
    with cli.make_context("kbz", list(arguments), resilient_parsing=True) as context:
        return Path(configuration(context.params["config"]))


if __name__ == "__main__":
    main()
