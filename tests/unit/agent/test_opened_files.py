"""The agent opens files by its opener only: a folder that a container's user owns holds what that user likes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
AGENT = ROOT / "keybuzz" / "agent"
PARTS = ROOT / "tasks"
"""The modules' parts of the agent: `agent` in the folder of each."""
OPENER = "guard/opener.py"
OF_OS = {
    *("open", "listdir", "scandir", "walk", "fwalk", "stat", "lstat", "access", "readlink"),
    *("mkdir", "makedirs", "mkfifo", "mknod", "rmdir", "removedirs", "unlink", "remove"),
    *("rename", "renames", "replace", "link", "symlink", "truncate"),
    *("chmod", "lchmod", "chown", "lchown", "utime", "setxattr", "removexattr"),
}
OF_PATH = {"exists", "lexists", "isfile", "isdir", "islink", "getsize", "getmtime", "realpath"}
RELATIVE = {"dir_fd", "src_dir_fd"}
"""A name that is used relative to an open folder is what the opener is for."""
REASONS = {
    ("guard/mounts.py", "open"): "below /proc",
    ("host/candidates.py", "glob"): "names only; what has them is opened by the opener",
    ("host/hold.py", "os.makedirs"): "the lease: below /run, where only root writes",
    ("host/hold.py", "os.open"): "the lease: below /run, where only root writes",
    ("host/machine.py", "open"): "/etc/machine-id",
    ("host/ways.py", "open"): "below /proc",
    ("kinds/docker/restart.py", "open"): "below /proc",
    ("kinds/host/docker_daemon.py", "open"): "below /proc",
    ("kinds/host/file.py", "os.utime"): "a copy below /var/lib/kbz/previous, which is root's",
    ("kinds/host/packages.py", "os.utime"): "/var/lib/apt/lists, which is root's",
    ("kinds/host/reach.py", "open"): "below /proc",
    ("kinds/host/reach.py", "os.listdir"): "below /proc",
    ("kinds/host/system.py", "open"): "below /proc",
    ("k3s/agent/pod_network.py", "open"): "below /proc",
    ("k3s/agent/start.py", "shutil.rmtree"): "kbz's own folder below /run",
    ("main.py", "os.open"): "/dev/null",
    ("readings/secret_copies.py", "glob"): "names only; what has them is opened by the opener",
    ("readings/strays.py", "open"): "below /proc",
    ("readings/strays.py", "os.listdir"): "below /proc",
    ("readings/strays.py", "os.readlink"): "below /proc",
    ("readings/system_look.py", "open"): "below /proc",
    ("readings/system_look.py", "os.open"): "/dev/kmsg, which is no regular file",
    ("readings/system_look.py", "os.stat"): "mount points, of which only the file system is asked",
    ("readings/tcp_ports.py", "open"): "below /proc",
    ("readings/udp_ports.py", "open"): "below /proc",
    ("runtime/channel.py", "open"): "the descriptor of the conversation",
    ("runtime/ending.py", "open"): "below /proc",
    ("runtime/spawn.py", "os.access"): "programs in a PATH of ours",
    ("runtime/spawn.py", "os.path.isdir"): "programs in a PATH of ours",
    ("wire/docker.py", "open"): "a target of the controller's own: no host downloads",
}


def bare_calls(source: str) -> Iterator[str]:
    """Yield each call that opens, lists or changes a file by a whole path."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        first, _, rest = name.partition(".")
        bare = (
            name in ("open", "io.open", "glob", "glob.glob", "glob.iglob", "iglob")
            or (first == "os" and rest in OF_OS)
            or (first == "os" and rest.removeprefix("path.") in OF_PATH and "path." in rest)
            or first in ("shutil", "pathlib", "Path", "tempfile")
        )
        if bare and not RELATIVE & {keyword.arg for keyword in node.keywords}:
            yield name


def found() -> set[tuple[str, str]]:
    return {
        (path.relative_to(root).as_posix(), name)
        for root, pattern in ((AGENT, "**/*.py"), (PARTS, "*/agent/**/*.py"))
        for path in root.glob(pattern)
        if path != AGENT / OPENER
        for name in bare_calls(path.read_text(encoding="utf-8"))
    }


def test_no_file_is_opened_past_the_opener_without_a_reason() -> None:
    assert found() - set(REASONS) == set()


def test_every_reason_is_still_needed() -> None:
    assert set(REASONS) - found() == set()


def test_the_search_sees_what_it_looks_for() -> None:
    for line in (
        "open('x')",
        "os.open(path, os.O_RDONLY)",
        "os.path.isfile(path)",
        "shutil.copy2(a, b)",
        "os.rename(a, b)",
        "glob(pattern)",
        "[os.listdir(p) for p in x]",
    ):
        assert list(bare_calls(line)), line
    for line in (
        "os.rename(a, b, src_dir_fd=f)",
        "opener.read(p, 9)",
        "place.open()",
        "os.fdopen(f)",
    ):
        assert not list(bare_calls(line)), line
