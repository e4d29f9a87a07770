"""The parameters of site.yaml that module base reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import PATH, Count, Maybe, Number, Text, Words, YesNo
from keybuzz.site.parameters.parameter import Parameter
from tasks.base.forms import Networks, Ports

OPERATING_SYSTEM = Parameter(
    "base.operating_system",
    Text(r"[a-z]+ [0-9]+(\.[0-9]+)?", "a distribution and its release, such as ubuntu 24.04"),
    "The operating system that every host must have; another one is refused.",
)
TIMEZONE = Parameter(
    "base.timezone",
    Text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a name of the time zone database"),
    "The time zone of every host.",
)
NETWORK = Parameter(
    "base.network",
    Text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}", "an IPv4 network, such as 10.0.0.0/16"),
    "The private network: its hosts may reach each other.",
)
TIME_SERVICE = Parameter(
    "base.time_service",
    Text(r"[a-z0-9@._-]+", "the name of a systemd service, without .service"),
    "The service that keeps the clock.",
)
DOCKER_PACKAGE = Parameter(
    "base.docker_package",
    Text(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package"),
    "The package that the Docker Engine is installed from.",
)
DOCKER_VERSION = Parameter(
    "base.docker_version",
    Maybe(Text(r"[0-9][A-Za-z0-9.+:~-]*", "the version of a Debian package")),
    "The version of that package, held; none: whichever the sources offer.",
)
DOCKER_VALIDATOR = Parameter(
    "base.docker_validator",
    Text(r"[^\0\n]*\{\}[^\0\n]*", "a command line with {} in place of the file"),
    "The command that proves a new daemon.json before it is used.",
)
REGISTRY_MIRRORS = Parameter(
    "base.registry_mirrors",
    Words(r"https?://[^\s]+", "URLs separated by spaces, or none"),
    "Mirrors of Docker Hub that hosts pull from; none: from Docker Hub itself.",
    "none",
)
ADMIN_NETWORKS = Parameter(
    "base.admin_networks",
    Networks(),
    "Networks outside of the private one from which operators log in over SSH.",
    "none",
)
PUBLIC_PORTS = Parameter(
    "base.public_ports",
    Ports(),
    "Ports of a server that are open to all; for single servers, under `hosts`.",
    "none",
)
PRIVATE_PORTS = Parameter(
    "base.private_ports",
    Ports(),
    "Ports on which a server listens for any address, and that only the private network needs.",
    "none",
)
AUTHORIZED_KEYS = Parameter(
    "base.authorized_keys",
    Words(r"SHA256:[A-Za-z0-9+/]{43}", "fingerprints as ssh-keygen -l shows them, or none"),
    "Fingerprints of the SSH keys of operators; other keys that may log in to a host are strays.",
    "none",
)
DOCKER_CLI_PACKAGE = Parameter(
    "base.docker_cli_package",
    Maybe(Text(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package")),
    "The package of the engine's command line; none: the engine's own package brings it.",
    "none",
)
DOCKER_DOWNGRADE = Parameter(
    "base.docker_downgrade",
    YesNo(),
    "Whether a newer engine is replaced by the version of base.docker_version, or refused.",
    "no",
)
DOCKER_SOURCE = Parameter(
    "base.docker_source",
    Maybe(Text(r"[a-z+]+:[^\s\0]+", "the URI of a package source")),
    "The package source of the engine; none: the hosts know one.",
    "none",
)
DOCKER_SOURCE_SUITE = Parameter(
    "base.docker_source_suite",
    Text(r"[A-Za-z0-9._/-]+", "the name of a suite"),
    "The suite of that source: the code name of the operating system's release.",
    "noble",
)
DOCKER_SOURCE_KEY = Parameter(
    "base.docker_source_key",
    PATH,
    "File on install-01 with the key that signs that source.",
    "/opt/keybuzz-installer/artefacts/docker.asc",
)
DOCKER_SOURCE_DIGEST = Parameter(
    "base.docker_source_digest",
    Maybe(Text(r"sha256:[0-9a-f]{64}", "`sha256:` and 64 hexadecimal digits")),
    "Digest of that file: no host takes another key.",
    "none",
)
_PERCENT = Number(0, 100, "percent")
DISK_WARN = Parameter(
    "health.disk_warn", _PERCENT, "From this use of a file system or its inodes on: a warning."
)
DISK_CRITICAL = Parameter(
    "health.disk_critical", _PERCENT, "From this use of a file system or its inodes on: critical."
)
MEMORY_WARN = Parameter(
    "health.memory_warn", _PERCENT, "With less than this share of memory available: a warning."
)
MEMORY_CRITICAL = Parameter(
    "health.memory_critical", _PERCENT, "With less than this share of memory available: critical."
)
LOAD = Parameter(
    "health.load_per_cpu",
    Number(0, 100_000),
    "Load of the last 15 minutes for each processor, above which there is a warning.",
)
_CLOCK = Number(0, 86_400, "seconds")
CLOCK_WARN = Parameter(
    "health.clock_warn", _CLOCK, "A clock this far from the median of all hosts: a warning."
)
CLOCK_CRITICAL = Parameter(
    "health.clock_critical", _CLOCK, "A clock this far from the median of all hosts: critical."
)
RESTARTS = Parameter(
    "health.restarts",
    Count(),
    "Restarts of one container, the last within the hour, from which on there is a warning.",
)
PARAMETERS = (
    *(OPERATING_SYSTEM, TIMEZONE, NETWORK, TIME_SERVICE),
    *(DOCKER_PACKAGE, DOCKER_VERSION, DOCKER_VALIDATOR, REGISTRY_MIRRORS),
    *(
        ADMIN_NETWORKS,
        AUTHORIZED_KEYS,
        PUBLIC_PORTS,
        PRIVATE_PORTS,
        DOCKER_CLI_PACKAGE,
        DOCKER_DOWNGRADE,
    ),
    *(DOCKER_SOURCE, DOCKER_SOURCE_SUITE, DOCKER_SOURCE_KEY, DOCKER_SOURCE_DIGEST),
    *(DISK_WARN, DISK_CRITICAL, MEMORY_WARN, MEMORY_CRITICAL),
    *(LOAD, CLOCK_WARN, CLOCK_CRITICAL, RESTARTS),
)
