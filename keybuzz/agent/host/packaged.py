"""Files of packages that were changed since: found by dpkg digests, and told line by line where the original is here.

The original is what the package put beside the file (`.dpkg-dist`), or is in its archive, when apt has kept that. It
counts only when its digest is dpkg's. Commands are told without their arguments, which may be secrets. One file that
cannot be read says so, and takes no other with it.
"""

from __future__ import annotations

import os
import stat
from hashlib import md5

from keybuzz.agent.guard import opener
from keybuzz.agent.host import gist
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError, os_error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS = "/var/lib/dpkg/status"
INFO = "/var/lib/dpkg/info"
DIVERSIONS = "/var/lib/dpkg/diversions"
ARCHIVES = "/var/cache/apt/archives"
CONFFILES = ("/etc/cron", "/etc/sudoers", "/etc/systemd/", "/etc/sysctl", "/etc/apt/")
SHIPPED = ("usr/lib/systemd/", "lib/systemd/", "usr/lib/sysctl.d/", "etc/cron", "etc/apt/")
"""Of files that are no conffiles, as `*.md5sums` names them."""
_TEXTS = (".service", ".timer", ".socket", ".path", ".mount", ".target", ".slice", ".conf")
_BESIDE = (".dpkg-dist", ".dpkg-new", ".ucf-dist")
_LINES, _LONGEST = 12, 200
_ARCHIVE = 256 << 20
_DIGEST = 32


class Packaged:
    """One file as its package brought it."""

    __slots__ = ("architecture", "digest", "package", "path", "version")

    def __init__(self, path: str, digest: str, package: str, version: str, arch: str) -> None:
        self.path = path
        self.digest = digest
        self.package = package
        self.version = version
        self.architecture = arch


class Known:
    """The watched files of all packages, by path, and why a package's list of files could not be read."""

    __slots__ = ("files", "unread")

    def __init__(self) -> None:
        self.files: dict[str, Packaged] = {}
        self.unread: dict[str, str] = {}


def packaged() -> Known:
    """Return what packages brought; files that dpkg was told to put elsewhere are left out."""
    known = Known()
    found = known.files
    for package, version, arch, lines in _stanzas(_text(STATUS)):
        for line in lines:
            words = line.split()
            if len(words) == 2 and words[0].startswith(CONFFILES) and len(words[1]) == _DIGEST:
                found[words[0]] = Packaged(words[0], words[1], package, version, arch)
        for name in (f"{package}.md5sums", f"{package}:{arch}.md5sums"):
            try:
                for path, digest in _shipped(f"{INFO}/{name}"):
                    found.setdefault(path, Packaged(path, digest, package, version, arch))
            except (AgentError, OSError) as error:
                known.unread[f"{INFO}/{name}"] = _why(error)
    for path in _text(DIVERSIONS).splitlines():
        found.pop(path, None)
    return known


def changed(known: Known) -> Iterator[tuple[str, str]]:
    """Yield path and what was changed of each file that is not, or may not be, as its package brought it."""
    for path, why in known.unread.items():
        yield path, f"its package's files cannot be compared: {why}"
    for path, came in known.files.items():
        try:
            what = _change(came)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it was removed, now or a moment ago
        except (AgentError, OSError) as error:
            yield path, f"cannot be compared with its package: {_why(error)}"
            continue
        if what:
            yield path, f"was changed since its package was installed: {what}"


def _change(came: Packaged) -> str:
    """Return what was changed; empty when nothing was. dpkg takes a link for the file that it points to."""
    status = opener.status(came.path)
    if stat.S_ISLNK(status.st_mode):
        return "" if _linked(came.path) == came.digest else f"a link to {_target(came.path)} now"
    if not stat.S_ISREG(status.st_mode):
        return f"{opener.kind_of(status)} now"
    now = opener.read(came.path, opener.LARGE, final=True)
    return "" if _digest(now) == came.digest else _difference(came, now)


def _linked(path: str) -> str:
    try:
        return _digest(opener.read(path, opener.LARGE, final=True))
    except (AgentError, OSError):
        return ""  # it points to nothing, or to no file: certainly not to what the package brought


def _target(path: str) -> str:
    with opener.place(path) as found:
        return os.readlink(found.name, dir_fd=found.folder)


def _why(error: AgentError | OSError) -> str:
    return error.what if isinstance(error, AgentError) else os_error_text(error)


def _stanzas(status: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield name, version, architecture and conffiles of each package that is installed."""
    for stanza in status.split("\n\n"):
        fields: dict[str, list[str]] = {}
        last: list[str] = []
        for line in stanza.splitlines():
            if line.startswith(" "):
                last.append(line)
                continue
            name, _, value = line.partition(":")
            last = fields[name] = [value.strip()]
        words = [fields.get(name, [""])[0] for name in ("Package", "Version", "Architecture")]
        if words[0] and "not-installed" not in fields.get("Status", [""])[0]:
            yield words[0], words[1], words[2], fields.get("Conffiles", [""])[1:]


def _shipped(path: str) -> Iterator[tuple[str, str]]:
    for line in _text(path).splitlines():
        digest, _, name = line.partition("  ")
        if name.startswith(SHIPPED) and name.endswith(_TEXTS) and len(digest) == _DIGEST:
            yield f"/{name}", digest


def _difference(came: Packaged, now: bytes) -> str:
    original = _original(came)
    if original is None:
        wanted = f"{came.package}={came.version}"
        return f"its original is not here; `apt-get download {wanted}` brings it"
    from difflib import unified_diff  # few hosts have one

    before, after = (text.decode("utf-8", "replace").splitlines() for text in (original, now))
    lines = [
        f"{line[0]} {gist.of_line(came.path, line[1:].strip())[:_LONGEST]}"
        for line in list(unified_diff(before, after, n=0, lineterm=""))[2:]
        if line[0] in "+-" and line[1:].strip()
    ]
    if gist.is_script(came.path) and lines:
        more, less = (sum(line[0] == sign for line in lines) for sign in "+-")
        return f"a script, whose lines are not told: {more} more, {less} fewer"
    more_lines = f"; and {len(lines) - _LINES} lines more" if len(lines) > _LINES else ""
    return ("; ".join(lines[:_LINES]) or "blanks only") + more_lines


def _original(came: Packaged) -> bytes | None:
    """Return the file as it came, when that is on this host."""
    for ending in _BESIDE:
        try:
            beside = opener.read(came.path + ending, opener.LARGE, final=True)
        except (OSError, AgentError):
            continue
        if _digest(beside) == came.digest:
            return beside
    version = came.version.replace(":", "%3a")
    archive = f"{ARCHIVES}/{came.package}_{version}_{came.architecture}.deb"
    found = _unpacked(archive, came.path) if opener.is_file(archive) else None
    return found if found is not None and _digest(found) == came.digest else None


def _unpacked(archive: str, path: str) -> bytes | None:
    import io

    try:
        import tarfile
    except ImportError:  # Debian's python3-minimal
        return None
    try:
        done = run_child(["dpkg-deb", "--fsys-tarfile", archive], timeout=30, limit=_ARCHIVE)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
            file = files.extractfile(f".{path}")
            return file.read() if file else None
    except (AgentError, tarfile.TarError, KeyError, OSError):
        return None


def _digest(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except (FileNotFoundError, NotADirectoryError):
        return ""
