"""An old deployment in the lab: what it is made of, what stands in it, and what a look must leave as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.conftest import Done, Kbz
from tests.lab.support.adopting import with_own_policies

REASON = "the owner moves this service under kbz"
_FILES = (
    "find /opt/keybuzz /etc /usr/local/bin /root -xdev -regextype egrep "
    "-not -regex '/opt/keybuzz/.*/(data|raft|status)(/.*)?' -not -path '*/__pycache__*' "
    "-not -name '.#*' -printf '%p %i %T@ %m %U\\n' 2>/dev/null | sort"
)
_CONTAINERS = "docker ps -aq --no-trunc | sort | xargs -r docker inspect -f '{{.Name}} {{.Id}} {{.State.StartedAt}}'"


@dataclass(frozen=True)
class OldFleet:
    """One module's old deployment, on the hosts that a limit chooses."""

    kbz: Kbz
    hosts: tuple[str, ...]
    limit: str

    def secrets(self) -> Mapping[str, str]:
        """Return the secrets that only the hosts know."""
        lines = (self.kbz.root / "legacy.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def make_bare(self) -> None:
        """Take away what is on its hosts, and forget its secrets: the next one has others."""
        self.kbz.good("lab", "reset", *self.hosts, "--confirm", self.kbz.root.name)
        (self.kbz.root / "legacy.env").unlink(missing_ok=True)

    def make_ready(self, *, bare: bool) -> None:
        """Make its hosts ready for an old deployment, whatever is on them.

        Bare servers take a run of everything that kbz does to a server; for one that is short, the services go only.
        """
        if bare:
            return self.make_bare()
        gone = "docker ps -aq | xargs -r docker rm -f >/dev/null; rm -rf /opt/keybuzz"
        for host in self.hosts:
            self.kbz.on(host, f"if docker version >/dev/null 2>&1; then {gone}; fi")
        (self.kbz.root / "legacy.env").unlink(missing_ok=True)
        return None

    def state(self) -> dict[str, str]:
        """Return ids and starts of all containers, and of each file its inode, its time, mode and owner."""
        return self.on_each(f"{_CONTAINERS}; {_FILES}")

    def on_each(self, script: str) -> dict[str, str]:
        """Run a shell script on all its hosts at once."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            said = pool.map(lambda host: self.kbz.on(host, script), self.hosts)
            return dict(zip(self.hosts, said, strict=True))

    def looked(self, *words: str, codes: Iterable[int] = (0, 2, 3)) -> Done:
        """Call a verb that only looks, and see that nothing moved and that no secret is told."""
        before = self.state()
        done = self.kbz(*words)
        assert done.code in codes, done.stdout + done.stderr
        after = self.state()
        moved = {
            host: sorted(set(after[host].split("\n")) ^ set(before[host].split("\n")))
            for host in self.hosts
        }
        assert moved == {host: [] for host in self.hosts}
        self.untold(done.stdout + done.stderr)
        return done

    def untold(self, text: str) -> None:
        """See that no secret of the old deployment, and none of the store, is in a text."""
        files = sorted((self.kbz.root / "credentials").glob("*.env"))
        pairs = [line.split("=", 1) for path in files for line in _lines(path)]
        stored = [value for name, value in pairs if "PASS" in name or "TOKEN" in name]
        for secret in (*self.secrets().values(), *stored):
            assert len(secret) < 8 or secret not in text

    def foretold(self, *modules: str) -> dict[str, Any]:
        """Return what adopt says of these modules, by name."""
        done = self.looked("adopt", *modules, "--limit", self.limit, "--format", "json")
        found: dict[str, Any] = {item["module"]: item for item in done.json()["modules"]}
        return found

    def refusals(self, *modules: str) -> list[str]:
        """Return what adopt says that a run of these modules would refuse, those of what they require too."""
        found = self.foretold(*modules).values()
        return [refusal["what"] for item in found for refusal in item["refusals"]]

    def lifted(self, module: str) -> tuple[str, ...]:
        """Return the words of the run that brings a module under kbz, on its own hosts and nowhere else."""
        group = "haproxy" if module.endswith("-proxy") else module
        return ("run", module, "--limit", group, "--lift-freeze", module, "--reason", REASON)

    def strays(self, *modules: str) -> set[str]:
        """Return what no description explains there now."""
        done = self.kbz("drift", *modules, "--limit", self.limit, "--format", "json")
        items = done.json()["drift"]["items"]
        return {item["id"] for item in items if item["standing"] != "gone"}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if "=" in line and line[0] != "#"]


@dataclass(frozen=True)
class Running:
    """Which containers there are, by id, and since when each host's Docker runs."""

    containers: Mapping[tuple[str, str], str]
    engines: Mapping[str, str]


def running(old: OldFleet) -> Running:
    """Return what runs now."""
    listed = "docker ps -aq --no-trunc | xargs -r docker inspect -f '{{.Name}} {{.Id}}'"
    shown = {host: old.kbz.on(host, listed).splitlines() for host in old.hosts}
    containers = {
        (host, line.split()[0].lstrip("/")): line.split()[1]
        for host, lines in shown.items()
        for line in lines
    }
    since = "systemctl show docker -p ActiveEnterTimestampMonotonic"
    return Running(containers, {host: old.kbz.on(host, since) for host in old.hosts})


def interrupted(before: Running, after: Running) -> set[tuple[str, str]]:
    """Return host and resource of every container that was replaced and every Docker that was restarted."""
    replaced = {
        (host, f"container:{name}")
        for (host, name), identity in before.containers.items()
        if after.containers.get((host, name), identity) != identity
    }
    engines = before.engines.items()
    return replaced | {
        (host, "docker-daemon:docker") for host, since in engines if after.engines[host] != since
    }


def told(done: Done) -> set[str]:
    """Return the resources that a drift tells as different."""
    return {item["resource"] for item in done.json()["plan"]["changes"]}


def accepted_once_and_quiet(old: OldFleet, module: str, item: str) -> Done:
    """Accept a difference on a site of its own; return the drift that is quiet about it from then on."""
    site = OldFleet(with_own_policies(old.kbz), old.hosts, old.limit)
    resource = item.rpartition("/")[2]
    look = ("drift", module, "--limit", old.limit.partition(",")[0], "--format", "json")
    assert resource in told(site.looked(*look))
    words = ("drift", "accept", item, "--reason", REASON, "--until", "2199-12-31")
    assert "3 accepted" in site.looked(*words, codes=(0,)).stdout
    quiet = site.looked(*look)
    assert resource not in told(quiet)
    return quiet


def assert_once(hosts: Iterable[str], told: str) -> None:
    """See that no host was interrupted for its Docker alone: its restart is part of the member's own step."""
    for host in hosts:
        assert f"restart Docker on {host}, then " in told, told


def foretold_restarts(found: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return host and resource of every restart that adopt foretells."""
    return {
        (difference["host"], difference["resource"])
        for item in found.values()
        for difference in item["differences"]
        if difference["way"] == "restart"
    }
