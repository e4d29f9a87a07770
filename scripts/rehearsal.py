"""What a rehearsal ran on: each image of the lab's builder, beside its contract. Used by scripts/rehearse."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from keybuzz.lab.supply import builder
from keybuzz.lab.supply.contract import Contract, Kind, contracts
from keybuzz.lab.supply.stand_ins import StandIn, stand_ins
from keybuzz.lab.supply.upstream import source_of
from keybuzz.model.inventory.lab import LabSettings

CACHE = Path("/var/cache/kbz-lab")
_FIELDS = {
    Kind.ENTRYPOINT: "Entrypoint",
    Kind.COMMAND: "Cmd",
    Kind.USER: "User",
    Kind.WORKING_DIRECTORY: "WorkingDir",
    Kind.STOP_SIGNAL: "StopSignal",
    Kind.PORTS: "ExposedPorts",
    Kind.VOLUMES: "Volumes",
}


def main() -> int:
    """Print a block for each image; return 1 when one that was pulled differs from its contract."""
    registry = os.environ.get("KBZ_LAB_REGISTRY", "")
    by_recipe = {contract.recipe: contract for contract in contracts()}
    code = 0
    with TemporaryDirectory(prefix="kbz-rehearsal-") as folder:
        settings = LabSettings("kbz-rehearsal", Path(folder), CACHE, upstream=registry)
        builder.start(settings, lambda host, sentence: None)
        try:
            for stand_in in stand_ins():
                lines, differs = described(
                    stand_in,
                    registry,
                    inspected(settings, stand_in.reference),
                    by_recipe.get(stand_in.recipe),
                )
                print("\n".join(lines))
                code = max(code, int(differs))
        finally:
            builder.leave(settings)
    return code


def inspected(settings: LabSettings, reference: str) -> dict[str, Any] | None:
    """Return an image as the builder's Docker tells it; None when it was not pulled."""
    if not builder.has(settings, ["image", "inspect", reference]):
        return None
    (found,) = json.loads(builder.docker(settings, ["image", "inspect", reference]))
    image: dict[str, Any] = found
    return image


def described(
    stand_in: StandIn, registry: str, image: dict[str, Any] | None, contract: Contract | None
) -> tuple[list[str], bool]:
    """Return the lines about one image, and whether it differs from its contract."""
    if image is None:
        return [f"{stand_in.reference}: not pulled, no server that runs it was started"], False
    digests = ", ".join(name.rpartition("@")[2] for name in image.get("RepoDigests") or ())
    lines = [
        f"{stand_in.reference}",
        f"  ran on   {source_of(registry, stand_in.reference)}",
        f"  id       {image['Id']}",
        f"  digest   {digests or 'none'}",
    ]
    label = (image["Config"].get("Labels") or {}).get("kbz.standin")
    if label:
        lines.append(f"  is       a stand-in of the lab: {label}")
    if contract is None:
        return [*lines, "  contract none"], False
    found = list(differences(contract, image["Config"]))
    lines += [f"  differs  {difference}" for difference in found]
    return lines if found else [*lines, "  contract as it says"], bool(found)


def differences(contract: Contract, config: dict[str, Any]) -> Iterator[str]:
    """Yield each line of a contract that `docker image inspect` contradicts."""
    for kind, field in _FIELDS.items():
        if contract.says(kind):
            wanted, found = contract.words(kind), _words(config.get(field))
            ordered = kind in (Kind.ENTRYPOINT, Kind.COMMAND)
            same = wanted == found if ordered else set(wanted) == set(found)
            if not same:
                said, promised = (" ".join(words) or "nothing" for words in (found, wanted))
                yield f"{kind}: the image says {said}, the contract {promised}"
    environment = config.get("Env") or []
    for item in contract.words(Kind.ENVIRONMENT):
        if item not in environment:
            yield f"{Kind.ENVIRONMENT}: {item} is not set"
    path = next((item[5:] for item in environment if item.startswith("PATH=")), "").split(":")
    begins = contract.words(Kind.SEARCH_PATH)
    if tuple(path[: len(begins)]) != begins:
        yield f"{Kind.SEARCH_PATH}: PATH begins with {':'.join(path[:3])}"


def _words(value: object) -> tuple[str, ...]:
    """Return what a field of the configuration holds, as words."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, dict):
        return tuple(sorted(value))
    return tuple(value) if isinstance(value, list) else ()


if __name__ == "__main__":
    sys.exit(main())
