"""Break lab hosts as servers break. A fault that would harm this machine is refused."""

from __future__ import annotations

from keybuzz.lab import lab as whole
from keybuzz.lab.hosts import host
from keybuzz.lab.hosts.process import Report, run
from keybuzz.lab.layout import HostPlaces
from keybuzz.lab.network import inside, network
from keybuzz.model.core.errors import KbzError, RefusedError, UsageError
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_DOCKER = "/var/lib/docker"
_FILLER = f"{_DOCKER}/kbz-fault-fill"
_ROOM_OF_A_MAP = 4 * 2**20
"""The file system wants some blocks to note where a large file lies."""


def stop_host(settings: LabSettings, name: str) -> None:
    """Pull the plug: every process of the host ends at once, nothing is written any more."""
    host.entry(settings, name)
    host.kill(settings, name)


def start_host(settings: LabSettings, server: Server, report: Report) -> None:
    """Press the power button and wait until the host answers SSH; its disk is as it was."""
    whole.up(settings, [server], report)


def cut_link(settings: LabSettings, name: str) -> None:
    """Unplug the host's cable: it runs on, alone, and sees no carrier."""
    network.set_cable(settings, name, "down")


def restore_link(settings: LabSettings, name: str) -> None:
    """Plug the host's cable in again."""
    network.set_cable(settings, name, "up")


def lose(settings: LabSettings, name: str, percent: int) -> None:
    """Lose this share of the packets in each direction of the host's cable; 0 ends it."""
    if not 0 <= percent < 100:
        raise UsageError(f"{percent} % is no share to lose", hint="0 to 99; `cut` loses all")
    port = HostPlaces(settings, name).port
    rules = loss_rules(port, percent)
    run(["nsenter", f"--net=/run/netns/{settings.name}", "nft", "-f", "-"], feed=rules)


def loss_rules(port: str, percent: int) -> str:
    """Return the nftables program that replaces the loss on a bridge port."""
    table = f"bridge loss_{port.replace('-', '_')}"
    program = f"table {table}\ndelete table {table}\n"
    if not percent:
        return program
    drop = f"numgen random mod 100 < {percent} drop"
    return program + (
        f"table {table} {{\n"
        f"  chain toward {{ type filter hook postrouting priority 0; oifname {port} {drop}; }}\n"
        f"  chain from {{ type filter hook prerouting priority 0; iifname {port} {drop}; }}\n"
        "}\n"
    )


def delay(settings: LabSettings, name: str, milliseconds: int) -> None:
    """Delay each packet toward the host; 0 ends it. Refused where the kernel has no netem queue."""
    port = HostPlaces(settings, name).port
    queue = ["tc", "-n", settings.name, "qdisc", "replace", "dev", port, "root"]
    rule = ["netem", "delay", f"{milliseconds}ms"] if milliseconds else ["noqueue"]
    try:
        run([*queue, *rule])
    except KbzError as error:
        raise RefusedError(
            "delay is not available here: this machine's kernel has no netem queue",
            where=name,
            hint="use `kbz lab fault loss`, or a machine with the module sch_netem",
        ) from error


def fill_disk(settings: LabSettings, name: str, size: int) -> None:
    """Take `size` bytes of the host's disk; `free_disk` gives them back. This machine's own disk is not filled."""
    free_disk(settings, name)
    ask = ["df", "--block-size=1", "--output=avail", _DOCKER]
    free = max(0, int(inside.capture(settings, name, ask).split()[-1]) - _ROOM_OF_A_MAP)
    if size > free:
        raise RefusedError(
            f"its disk has {free} bytes left, and not {size}",
            where=name,
            hint=f"take at most {free}",
        )
    try:
        inside.capture(settings, name, ["fallocate", f"--length={size}", _FILLER])
    except KbzError:
        free_disk(settings, name)
        raise


def free_disk(settings: LabSettings, name: str) -> None:
    """Give back what `fill_disk` took."""
    inside.capture(settings, name, ["rm", "-f", _FILLER])


def kill_container(settings: LabSettings, name: str, container: str) -> None:
    """Kill a container's main process; its restart policy decides what happens next."""
    inside.capture(settings, name, ["docker", "kill", "--signal=KILL", container])
