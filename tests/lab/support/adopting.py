"""A site whose policies.yaml may be edited, and a store that has lost the live password."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import Kbz


def with_own_policies(kbz: Kbz) -> Kbz:
    """Return the command line over the same lab, with a copy of policies.yaml."""
    folder = kbz.config.parent
    ours = (folder / "nornir_config.yaml").read_text().splitlines()
    (line,) = [line for line in ours if "policies:" in line]
    policies = folder / "policies.yaml"
    policies.write_text(Path(line.split(": ")[1]).read_text())
    own = folder / "accepting.yaml"
    own.write_text("\n".join(ours).replace(line, f"  policies: {policies}"))
    return replace(kbz, config=own)


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
