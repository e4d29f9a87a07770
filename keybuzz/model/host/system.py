"""Resources of the operating system (module 2). What counts is the effective state, not a file (facts/02)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, sha256


@dataclass(frozen=True, slots=True)
class OperatingSystem(Resource):
    """The release that a host must run. It is compared and never written: a difference refuses the run."""

    kind: ClassVar[str] = "operating-system"
    release: str
    """ID and VERSION_ID of os-release, such as `ubuntu 24.04`."""

    @property
    def name(self) -> str:
        return "release"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"release": self.release}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class Package(Resource):
    """A Debian package that must be installed; never upgraded on the way.

    One with a version has exactly that; one that is held is not upgraded by anybody else either.
    """

    kind: ClassVar[str] = "package"
    package: str
    version: str = ""
    """As dpkg writes it; empty: whichever apt brings."""
    held: bool = False
    downgrade: bool = False
    """A newer one may be replaced by this version; otherwise that is refused."""

    @property
    def name(self) -> str:
        return self.package

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        pinned: Attributes = {"version": self.version} if self.version else {}
        return {"installed": True, **pinned, **({"held": True} if self.held else {})}

    def order(self) -> Json:
        return {**self.query(), "held": self.held, "downgrade": self.downgrade}

    def query(self) -> Json:
        return {**Resource.query(self), "version": self.version}

    def disrupts(self, observed: Attributes) -> bool:
        """Another version of a program that may be at work restarts it."""
        return bool(self.version and observed.get("version", self.version) != self.version)


@dataclass(frozen=True, slots=True)
class Sysctl(Resource):
    """A kernel setting as /proc/sys shows it now. That it survives a boot is a File's work."""

    kind: ClassVar[str] = "sysctl"
    key: str
    value: str

    @property
    def name(self) -> str:
        return self.key

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"value": self.value}

    def order(self) -> Json:
        return {**self.query(), "value": self.value}


@dataclass(frozen=True, slots=True)
class Service(Resource):
    """A systemd unit."""

    kind: ClassVar[str] = "service"
    unit: str
    enabled: bool = True
    running: bool = True

    @property
    def name(self) -> str:
        return self.unit

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"enabled": self.enabled, "running": self.running}

    def order(self) -> Json:
        return {**self.query(), "enabled": self.enabled, "running": self.running}


@dataclass(frozen=True, slots=True)
class SystemdUnit(Resource):
    """A unit of ours: its file, which systemd has read, and that it is enabled and runs. A new file restarts it."""

    kind: ClassVar[str] = "systemd-unit"
    unit: str
    text: str
    serves: bool = False
    """True when others rely on it: to restart it interrupts a service, and whoever starts it does not wait for it."""

    @property
    def name(self) -> str:
        return self.unit

    def disrupts(self, observed: Attributes) -> bool:
        return self.serves and observed.get("running") is True

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "digest": sha256(self.text.encode()),
            "loaded": True,
            "enabled": True,
            "running": True,
        }

    def order(self) -> Json:
        return {**self.query(), "text": self.text, "wait": not self.serves}


@dataclass(frozen=True, slots=True)
class InterfaceOption(Resource):
    """A file with one option: the name of the interface that carries an address, found on the host itself."""

    kind: ClassVar[str] = "interface-option"
    path: str
    option: str
    """Such as flannel-iface."""
    address: str

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"option": self.option, "address": self.address}

    def query(self) -> Json:
        return {**Resource.query(self), "address": self.address}

    def order(self) -> Json:
        return {**self.query(), "option": self.option}


@dataclass(frozen=True, slots=True)
class NoSwap(Resource):
    """No swap in use and none in fstab, found by its type field and not by the word."""

    kind: ClassVar[str] = "swap"

    @property
    def name(self) -> str:
        return "swap"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"active": (), "in_fstab": ()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class SshServer(Resource):
    """Options of sshd, compared with `sshd -T`; written to a drop-in that is read before cloud-init's."""

    kind: ClassVar[str] = "ssh-server"
    options: tuple[tuple[str, str], ...]
    path: str = "/etc/ssh/sshd_config.d/00-keybuzz.conf"

    @property
    def name(self) -> str:
        return "sshd"

    @property
    def text(self) -> str:
        """The drop-in file."""
        lines = "".join(f"{option} {value}\n" for option, value in self.options)
        return "# Managed by kbz (module base). sshd keeps the first value that it reads.\n" + lines

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {**{option.lower(): value for option, value in self.options}, "confirmed": True}

    def query(self) -> Json:
        return {**Resource.query(self), "options": [option.lower() for option, _ in self.options]}

    def order(self) -> Json:
        return {**self.query(), "path": self.path, "text": self.text}

    @property
    def guarded(self) -> bool:
        """True. `confirmed` is false while the undo of a run that was cut off still counts down."""
        return True


ANYWHERE = "any"
"""The source of a rule that lets everybody in."""


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One `allow in` rule. `port` empty means all ports; the comment marks it as ours."""

    source: str
    """A network, or `any`, which needs a port and a protocol."""
    port: str = ""
    protocol: str = ""
    comment: str = "kbz:internal"

    def __str__(self) -> str:
        where = f"{self.port}/{self.protocol}" if self.protocol else self.port or "anywhere"
        return f"allow {where} from {self.source} ({self.comment})"


@dataclass(frozen=True, slots=True)
class Firewall(Resource):
    """UFW: its defaults and our rules. Rules of others are left alone; it is never reset (facts/02)."""

    kind: ClassVar[str] = "firewall"
    rules: tuple[FirewallRule, ...]
    incoming: str = "deny"
    outgoing: str = "allow"
    explained: tuple[str, ...] = ()
    """What may listen for any address though the rules do not open it to all: ports such as 53/udp."""
    kept_open: str = ""
    """How the operator keeps a port open that it closes, or says that it may close."""
    services: frozenset[str] = frozenset()
    """Ports of kbz's own services on the host, such as 5432/tcp: for the private network only, whatever serves them."""

    @property
    def name(self) -> str:
        return "ufw"

    @property
    def _described(self) -> list[str]:
        return sorted(str(rule) for rule in self.rules)

    @property
    def _explained(self) -> list[str]:
        """What may listen for any address: as explained, and what the rules open to all."""
        opened = {f"{r.port}/{r.protocol}" for r in self.rules if r.port and r.source == ANYWHERE}
        return sorted({*self.explained, *opened})

    @property
    def listening(self) -> frozenset[int]:
        """TCP ports that something may listen on, beside those of services."""
        found = (item.partition("/") for item in self._explained)
        return frozenset(int(port) for port, _, protocol in found if protocol == "tcp")

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "active": True,
            "incoming": self.incoming,
            "outgoing": self.outgoing,
            "rules": tuple(self._described),
            "confirmed": True,
        }

    def effects(self, observed: Attributes) -> tuple[str, ...]:
        """Return which ports it closes, who is connected to them, and whose SSH connection it shuts out."""
        served, peers, clients = (observed.get(name) for name in ("served", "shut_out", "clients"))
        closes = ", ".join(served) if isinstance(served, tuple) else ""
        shut = ", ".join(peers) if isinstance(peers, tuple) else ""
        cut = ", ".join(clients) if isinstance(clients, tuple) else ""
        return (
            *((f"closes: {closes}",) if closes else ()),
            *((f"connected from outside now: {cut}",) if cut else ()),
            *((f"shuts out: SSH from {shut}",) if shut else ()),
            *((self.kept_open,) if closes and self.kept_open else ()),
        )

    def query(self) -> Json:
        """Return the frame; with it the host can say whom and what these rules would cut off."""
        ssh = {rule.source for rule in self.rules if rule.port in ("", "22")}
        if ANYWHERE in ssh:
            ssh = {"0.0.0.0/0", "::/0"}
        return {
            **Resource.query(self),
            "described": self._described,
            "incoming": self.incoming,
            "sources": sorted(ssh),
            "inside": sorted(r.source for r in self.rules if not r.port and r.source != ANYWHERE),
            "ports": self._explained,
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "outgoing": self.outgoing,
            "rules": [
                {
                    "text": str(rule),
                    "source": rule.source,
                    "port": rule.port,
                    "protocol": rule.protocol,
                    "comment": rule.comment,
                }
                for rule in self.rules
            ],
        }

    @property
    def guarded(self) -> bool:
        return True
