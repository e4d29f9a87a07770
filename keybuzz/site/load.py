"""From nornir_config.yaml to a Site: the one place where files become values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.secret import DigestKey, sha256
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.site.applications.credentials import require_free, schema_with
from keybuzz.site.applications.parse import load_applications
from keybuzz.site.credentials.store import load_credentials
from keybuzz.site.digest_key import digest_key
from keybuzz.site.files.plugins import RunnerChoice, read_inventory_plugin, read_runner
from keybuzz.site.files.problems import Problems, read_file
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.files.yaml_tree import Tree, TreeReader, parse_fields
from keybuzz.site.groups import load_groups
from keybuzz.site.policies import Policies, parse_policies
from keybuzz.site.settings import load_settings, require_servers
from keybuzz.site.site import Binary, Settings, Site
from keybuzz.site.sources import Sources, sources_of
from keybuzz.site.versions import parse_binaries, parse_versions

LIMIT = 1 << 18
"""Bytes that a file of the site may have."""
_SECTIONS = ("inventory", "runner", "user_defined")
_NORNIR_SECTIONS = ("core", "logging", "ssh")
_OPTIONAL = ("overlay", "applications")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What kbz takes from nornir_config.yaml. `core`, `logging` and `ssh` are for scripts that call InitNornir."""

    path: Path
    servers: Path
    groups: Path
    versions: Path
    site: Path
    policies: Path
    overlay: Path | None
    connection: str
    bastion: str
    """`host:port user` of a jump host, or an empty text."""
    runner: RunnerChoice
    applications: Path | None = None
    """None: the site describes no applications."""
    seen: Sources = field(default_factory=Sources)
    """nornir_config.yaml as it was read."""

    def sources(self) -> Sources:
        """Return the files of the site, but for its secrets, as they are now."""
        given = (self.servers, self.groups, self.versions, self.site, self.policies)
        optional = (self.overlay, self.applications)
        return self.seen.joined(sources_of((*given, *(path for path in optional if path))))


def read_configuration(path: Path) -> Configuration:
    """Read nornir_config.yaml; InputError when it is missing or lacks something."""
    if not path.exists():
        raise InputError(
            "there is no such file",
            where=str(path),
            hint="run kbz in the folder of nornir_config.yaml, or give --config FILE",
        )
    seen = sources_of((path.resolve(),))
    problems = Problems(str(path))
    reader = TreeReader(problems)
    top = reader.fields(
        parse_fields(read_file(path, LIMIT), str(path)), "the file", _SECTIONS, _NORNIR_SECTIONS
    )
    problems.raise_if_any()
    inventory = reader.fields(top["inventory"], "inventory", ("plugin", "options"))
    options = _texts(reader, inventory, "options", ("path", "groups"), ("connection", "bastion"))
    if "plugin" in inventory:
        read_inventory_plugin(reader, inventory["plugin"])
    runner = read_runner(reader, top["runner"])
    user = _texts(reader, top, "user_defined", ("versions", "site", "policies"), _OPTIONAL)
    problems.raise_if_any()
    folder = path.resolve().parent
    return Configuration(
        path=path,
        servers=folder / options["path"],
        groups=folder / options["groups"],
        versions=folder / user["versions"],
        site=folder / user["site"],
        policies=folder / user["policies"],
        overlay=folder / user["overlay"] if "overlay" in user else None,
        connection=options.get("connection", "kbz_ssh"),
        bastion=options.get("bastion", ""),
        runner=runner,
        applications=folder / user["applications"] if "applications" in user else None,
        seen=seen,
    )


def _texts(
    reader: TreeReader,
    parent: dict[str, Tree],
    name: str,
    required: tuple[str, ...],
    optional: tuple[str, ...],
) -> dict[str, str]:
    if name not in parent:
        return dict.fromkeys(required, "")
    fields = reader.fields(parent[name], name, required, optional)
    return {key: reader.text(value, f"{name}.{key}") for key, value in fields.items()}


def load_site(configuration: Configuration) -> Site:
    """Read every file of the site; the first that is wrong stops here, with file and line."""
    site = load_inventory_site(configuration)
    folder, schema = site.settings.credentials, schema_with(site.applications)
    store = sources_of(folder / file for file in sorted({item.file for item in schema}))
    credentials = load_credentials(folder, schema)
    require_free(site.applications, credentials)
    return replace(
        site,
        credentials=credentials,
        digest_key=digest_key(site.settings.state),
        sources=site.sources.joined(store),
    )


def load_inventory_site(configuration: Configuration) -> Site:
    """Read every file of the site but its secrets: for verbs that describe no host. Writes nothing."""
    root = configuration.path.resolve().parent
    sources = configuration.sources()
    catalogue = load_groups(configuration.groups)
    versions = read_file(configuration.versions, LIMIT)
    settings = load_settings(root, configuration.site, configuration.overlay)
    servers = read_servers(configuration.servers, catalogue)
    require_servers(settings, (server.name for server in servers))
    return Site(
        root=root,
        servers=servers,
        catalogue=catalogue,
        versions=parse_versions(versions, str(configuration.versions)),
        versions_text=versions.decode("utf-8", "replace"),
        binaries=_binaries(parse_binaries(versions, str(configuration.versions)), settings, root),
        settings=settings,
        policies=read_policies(configuration.policies, catalogue),
        applications=load_applications(configuration.applications),
        credentials={},
        digest_key=DigestKey(b""),
        sources=sources,
    )


def _binaries(found: dict[str, Binary], settings: Settings, root: Path) -> dict[str, Binary]:
    """Return the programs; where digests say nothing (a lab's stand-ins), each with that of the file that is there."""
    if settings.parameters.get("versions.no_digests", "none") == "none":
        return found
    made: dict[str, Binary] = {}
    for name, binary in found.items():
        path = root / settings.parameters.get(f"{name}.artefacts", "") / name
        content = path.read_bytes() if path.is_file() else None
        made[name] = replace(binary, digest=sha256(content) if content is not None else "")
    return made


def read_policies(path: Path, catalogue: GroupCatalogue) -> Policies:
    """Return policies.yaml; InputError with file:line for each thing that is wrong in it."""
    names = tuple(group.name for group in catalogue.groups)
    return parse_policies(read_file(path, LIMIT), str(path), names)


def require_unchanged(path: Path, before: bytes) -> None:
    """Raise RefusedError when a file of the site is not any more what was looked at."""
    if read_file(path, LIMIT) != before:
        raise RefusedError(
            "has changed since it was looked at; nothing was written",
            where=str(path),
            hint="run the command again",
        )
