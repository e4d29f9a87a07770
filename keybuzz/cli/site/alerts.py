"""`kbz alerts`."""

from __future__ import annotations

from pathlib import Path

import click

from keybuzz.cli.support.output import give_out


@click.command()
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where kbz-alerts.yml and kbz-dashboard.json go; files of these names there are replaced.",
)
def alerts(folder: Path) -> None:
    """Write alert rules for Prometheus and a dashboard for Grafana, from the metrics that kbz exports.

    Prometheus loads kbz-alerts.yml by rule_files, Grafana imports kbz-dashboard.json. No host is asked.
    """
    from keybuzz.report.machine.alerts import alerts_text
    from keybuzz.report.machine.dashboard import dashboard_text
    from keybuzz.site.files.below import own_folder, put_below

    own = own_folder(folder)
    files = {"kbz-alerts.yml": alerts_text(), "kbz-dashboard.json": dashboard_text()}
    give_out("".join(f"{put_below(own, name, text)}\n" for name, text in files.items()))
