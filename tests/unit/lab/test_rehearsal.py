"""`scripts/rehearse` prints for each image what it ran on, and what differed from its contract."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from keybuzz.lab.supply.contract import Contract, Kind, contracts
from keybuzz.lab.supply.stand_ins import stand_ins
from scripts.rehearsal import described, differences

ROOT = Path(__file__).parents[3]
BY_RECIPE = {contract.recipe: contract for contract in contracts()}
CHECKED = [stand_in for stand_in in stand_ins() if stand_in.recipe in BY_RECIPE]


def as_said(contract: Contract) -> dict[str, Any]:
    """Return a configuration that keeps every line of a contract that an inspection can hold."""
    path = ":".join((*contract.words(Kind.SEARCH_PATH), "/usr/bin"))
    return {
        "Entrypoint": list(contract.words(Kind.ENTRYPOINT)),
        "Cmd": list(contract.words(Kind.COMMAND)),
        "User": " ".join(contract.words(Kind.USER)),
        "WorkingDir": " ".join(contract.words(Kind.WORKING_DIRECTORY)),
        "StopSignal": " ".join(contract.words(Kind.STOP_SIGNAL)),
        "ExposedPorts": {port: {} for port in contract.words(Kind.PORTS)},
        "Volumes": {path: {} for path in contract.words(Kind.VOLUMES)},
        "Env": [*contract.words(Kind.ENVIRONMENT), f"PATH={path}"],
    }


def test_an_image_that_keeps_its_contract_is_shown_with_its_digest() -> None:
    assert CHECKED
    for stand_in in CHECKED:
        contract = BY_RECIPE[stand_in.recipe]
        image = {"Id": "sha256:1", "RepoDigests": ["x@sha256:2"], "Config": as_said(contract)}
        lines, differs = described(stand_in, "mirror:5000", image, contract)
        assert not differs, lines
        assert lines[0] == stand_in.reference
        assert "  digest   sha256:2" in lines
        assert any(line.startswith("  ran on   mirror:5000/") for line in lines)
        assert lines[-1] == "  contract as it says"


def test_each_line_that_an_image_contradicts_is_told() -> None:
    for stand_in in CHECKED:
        contract = BY_RECIPE[stand_in.recipe]
        config = {**as_said(contract), "Entrypoint": ["/other.sh"], "User": "somebody"}
        told = list(differences(contract, config))
        wanted = [kind for kind in (Kind.ENTRYPOINT, Kind.USER) if contract.says(kind)]
        assert [line.partition(":")[0] for line in told] == [str(kind) for kind in wanted]
        assert all("/other.sh" in line or "somebody" in line for line in told)


def test_what_was_not_pulled_and_what_is_a_stand_in_are_said() -> None:
    stand_in = CHECKED[0]
    (line,), differs = described(stand_in, "", None, BY_RECIPE[stand_in.recipe])
    assert (line, differs) == (
        f"{stand_in.reference}: not pulled, no server that runs it was started",
        False,
    )
    config = {**as_said(BY_RECIPE[stand_in.recipe]), "Labels": {"kbz.standin": "Debian's"}}
    lines, _ = described(stand_in, "", {"Id": "sha256:1", "Config": config}, None)
    assert "  is       a stand-in of the lab: Debian's" in lines


def test_without_a_registry_the_script_says_how_it_is_called() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "rehearse"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert done.stderr.startswith("usage: scripts/rehearse REGISTRY")
