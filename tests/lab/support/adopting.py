"""A site whose files may be edited, and a store that has lost the live password."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz


def with_own(kbz: Kbz, *names: str) -> Kbz:
    """Return the command line over the same lab, with copies of these files of user_defined, such as `policies`."""
    folder = kbz.config.parent
    text = (folder / "nornir_config.yaml").read_text()
    for name in names:
        (line,) = [line for line in text.splitlines() if line.startswith(f"  {name}:")]
        copy = folder / f"own_{name}.yaml"
        copy.write_text(Path(line.split(": ")[1]).read_text())
        text = text.replace(line, f"  {name}: {copy}")
    own = folder / f"own_{'_'.join(names)}_config.yaml"
    own.write_text(text)
    return replace(kbz, config=own)


def with_own_policies(kbz: Kbz) -> Kbz:
    """Return the command line over the same lab, with a copy of policies.yaml."""
    return with_own(kbz, "policies")


def takes_settings(kbz: Kbz, module: str, name: str, live: str) -> None:
    """Let a site that does not say a value take the live one over; nothing is written without the typed name."""
    site = with_own(kbz, "site", "overlay")
    folder = kbz.config.parent
    overlay, ours = folder / "own_overlay.yaml", folder / "own_site.yaml"
    lines = overlay.read_text().splitlines(keepends=True)
    overlay.write_text("".join(line for line in lines if f" {name}:" not in line))
    before = ours.read_text()
    untyped = site("adopt", module, "--take-settings")
    assert untyped.code == 3
    assert ours.read_text() == before
    taken = site.good("adopt", module, "--take-settings", "--confirm", module).stdout
    assert f"+  {name}: {live}" in taken
    (was,) = [line for line in before.splitlines() if line.startswith(f"  {name}:")]
    assert ours.read_text() == before.replace(was, f"  {name}: {live}")
    assert (
        site.good("plan", module, "--limit", module, "--format", "json").json()["plan"]["size"] == 0
    )


def takes_over(kbz: Kbz, module: str, name: str, file: str) -> str:
    """Put another value into the store, let kbz take the live one over, and return what it said.

    Nothing is taken without the typed name, and no value is shown.
    """
    store = kbz.root / "credentials" / file
    before, live = store.read_text(), load_credentials(store.parent)[name].reveal()
    store.write_text(before.replace(live, "of-another-installation"))
    untyped = kbz("adopt", module, "--take-credentials")
    assert untyped.code == 3
    assert "of-another-installation" in store.read_text()
    taken = kbz.good("adopt", module, "--take-credentials", "--confirm", module).stdout
    assert store.read_text() == before
    assert live not in untyped.stdout + untyped.stderr + taken
    return taken
