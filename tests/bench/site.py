"""A site of kbz for the benchmark: the repository's own inventory at the stage's addresses, and more rows below it."""

from __future__ import annotations

from pathlib import Path

from keybuzz.site.credentials.store import create_missing
from tests.bench.stage import LAB, Stage

_REPOSITORY = Path(__file__).resolve().parents[2]
_INVENTORY = _REPOSITORY / "inventory"
_ADDRESS = "IP_PRIVEE"
_MORE = "prod 198.18.{high}.{low} bench-{number:03} {address} bench-{number}.example.org root bench app crm bench no "
"""A row, with spaces for tabs."""
_OVERLAY = """\
lab: {{name: {lab}, root: {folder}, cache: {folder}}}
paths:
  state: {folder}/state
  credentials: {folder}/credentials
  key_filename: {key}
  known_hosts: {known_hosts}
"""


def write_site(folder: Path, stage: Stage) -> Path:
    """Write the files of a site whose servers are the stage's hosts; return its nornir_config.yaml."""
    folder.mkdir()
    (folder / "servers.tsv").write_text(_servers(stage.addresses))
    groups = (_INVENTORY / "groups.yaml").read_text()
    (folder / "groups.yaml").write_text(
        groups.replace("expected: 48\n", f"expected: {len(stage.addresses)}\n")
    )
    overlay = _OVERLAY.format(lab=LAB, folder=folder, key=stage.key, known_hosts=stage.known_hosts)
    (folder / "overlay.yaml").write_text(overlay)
    config = (_REPOSITORY / "nornir_config.yaml").read_text()
    for name in ("servers.tsv", "groups.yaml"):
        config = config.replace(f"inventory/{name}", f"{folder}/{name}")
    config = config.replace("inventory/lab.yaml", f"{folder}/overlay.yaml")
    config = config.replace("inventory/", f"{_INVENTORY}/")
    path = folder / "nornir_config.yaml"
    path.write_text(config)
    create_missing(folder / "credentials")
    return path


def _servers(addresses: tuple[str, ...]) -> str:
    header, *rows = (_INVENTORY / "servers.tsv").read_text().splitlines()
    column = header.split("\t").index(_ADDRESS)
    lines = [header]
    for row, address in zip(rows, addresses, strict=False):
        cells = row.split("\t")
        cells[column] = address
        lines.append("\t".join(cells))
    for number, address in enumerate(addresses[len(rows) :]):
        public = {"high": number // 200, "low": number % 200 + 1}
        lines.append(_MORE.format(**public, number=number, address=address).replace(" ", "\t"))
    return "\n".join(lines) + "\n"
