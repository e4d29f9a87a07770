"""Whatever is in a folder, a check ends, raises nothing and reads nothing outside of it."""

from __future__ import annotations

import os
import socket
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybuzz.policy.check import check_documents
from keybuzz.policy.files import read_paths
from keybuzz.policy.violation import Verdict
from tests.unit.support.policy_values import context

SECRET = "PASSWORD=q8Zr2LwT0xVn5KpY7mBd\n"
NAMES = (
    ".env",
    "a.yaml",
    "compose.yaml",
    "kustomization.yaml",
    ".gitlab-ci.yml",
    "a.json",
    "a.toml",
    "a.tf",
    "a.ini",
    "a.properties",
    "a.service",
    "a.container",
    "nginx.conf",
    "Caddyfile",
    "haproxy.cfg",
    "pgbouncer.ini",
    "proxysql.cnf",
    "Dockerfile",
    "Makefile",
    "crontab",
    "a.sh",
    "a.py",
    "a.js",
    "a.ts",
    "a.tsx",
    "a.php",
    "a.rb",
    "a.go",
    "a.java",
    "a.md",
    "a.txt",
    "a.tsv",
    "a.xyz",
    "a",
    "Jenkinsfile",
    "a.pp",
    "a.kt",
    "a.xml",
    "fluent.conf",
    "logstash.conf",
    "inventory/hosts",
)
PIECES = (
    "<VirtualHost *:80>\n",
    "</VirtualHost>\n",
    "ProxyPass / balancer://a/\n",
    'redis { host => "',
    "ansible_host=",
    "_format_version: 1\n",
    "static_resources: [",
    "<!DOCTYPE a [<!ENTITY b 'cc'>]>",
    '<a name="b" value="c">&b;',
    "</a>",
    "[[a.b]]\n",
    "sh '''",
    "apiVersion: v1\n",
    "kind: Pod\n",
    "kind: Endpoints\n",
    "spec: ",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "&a ",
    "*a ",
    "<<: ",
    "|\n",
    ">-\n",
    "- ",
    ": ",
    "'",
    '"',
    "`",
    "\\",
    "\n",
    "\t",
    " ",
    "#",
    ";",
    "=",
    "$",
    "${",
    "${A:-",
    "$(",
    "<<EOF\n",
    "EOF\n",
    "```yaml\n",
    "```\n",
    "{{ x }}",
    "<?php ",
    "?>",
    "services:\n",
    "image: ",
    "environment:\n",
    "10.0.0.120",
    "10.0.0.10",
    "redis-01",
    ":6379",
    "port=",
    "host=",
    "redis://",
    "user:pw@",
    "password",
    "PASSWORD=",
    "FROM ",
    "RUN ",
    "server ",
    "proxy_pass ",
    "location / ",
    "bind *:80\n",
    "listen ",
    "docker run ",
    "mysql -h",
    'resource "a" ',
    "\0",
    "\r",
    "\ufeff",
    "\u2028",
    "é",
    "🐘",
    "\ud800".encode("utf-8", "replace").decode(),
)
TEXTS = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(PIECES)), max_size=40).map("".join)


def judged(folder: Path) -> Verdict:
    """Return the verdict over a folder, as `kbz policy check` makes it."""
    reading = read_paths([folder], folder)
    return check_documents(reading.documents, context(), unread=reading.unread)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4))
def test_no_text_of_any_kind_makes_a_check_raise(files: dict[str, str]) -> None:
    from tests.unit.support.policy_values import judged as judged_texts

    verdict = judged_texts(files)
    for found in verdict.violations:
        lines = (
            files[found.path].replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
            if found.path in files
            else 1
        )
        assert 1 <= found.line <= lines + 1
        assert found.column >= 1


_TREES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(PIECES)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                (
                    "apiVersion",
                    "kind",
                    "spec",
                    "image",
                    "services",
                    "env",
                    "name",
                    "value",
                    "data",
                    "rules",
                )
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_TREES)
def test_no_yaml_makes_a_check_raise(tree: object) -> None:
    import yaml

    from tests.unit.support.policy_values import judged as judged_texts

    text = yaml.safe_dump(tree, allow_unicode=True)
    assert (
        judged_texts({"a.yaml": text, "compose.yaml": text, ".github/workflows/a.yml": text}).files
        == 3
    )


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from([f"{f}{n}" for f in ("", "x/", "x/y/") for n in NAMES]),
        st.binary(max_size=200),
        max_size=5,
    )
)
def test_no_archive_makes_a_check_raise(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        archive.extractall(folder, filter="data")
    verdict = judged(folder)
    assert verdict.files + len(verdict.unjudged) >= len(files) - sum(not c for c in files.values())


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "a: " * 5_000,
        "&a [*a]\n",
        "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(200)),
        "\n".join(f"{' ' * n}a:" for n in range(300)),
    ],
    ids=["brackets", "colons", "itself", "aliases", "deep"],
)
@pytest.mark.parametrize(
    "name",
    ["a.yaml", "a.json", "a.toml", "a.tf", "a.py", "a.js", "a.sh", "nginx.conf", "a.xml", "a.pp"],
)
def test_what_nests_without_end_is_refused_in_words(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    verdict = judged(tmp_path)
    assert all("\n" not in item.why for item in verdict.unjudged)


@pytest.mark.parametrize("name", ["a.pp", "logstash.conf", "proxysql.cnf"])
def test_a_line_without_end_is_read_once(tmp_path: Path, name: str) -> None:
    """Places are looked up: counting the lines before each word again would take minutes here."""
    (tmp_path / name).write_text("a {\n=\n(\n" + "b => 'c'; " * 20_000 + ");\n}")
    assert judged(tmp_path).files == 1


def test_links_pipes_sockets_and_devices_are_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.env").write_text(SECRET)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.env").symlink_to(outside / "secret.env")
    (folder / "loop").symlink_to(folder)
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.env")
    os.mknod(folder / "null.env", 0o666 | 0o020000, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.env"))
        (folder / "good.env").write_text("LEVEL=info\n")
        verdict = judged(folder)
    assert verdict.violations == ()
    assert verdict.files == 1
    assert {item.path: item.why for item in verdict.unjudged} == {
        "null.env": "is no regular file",
        "pipe.env": "is no regular file",
        "s.env": "cannot be read: No such device or address",
    }


def test_what_is_large_is_refused_in_words_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.env").open("wb") as stream:
        stream.truncate(100 << 20)
    with (tmp_path / "b.yaml").open("wb") as stream:
        stream.truncate(1 << 40)
    verdict = judged(tmp_path)
    assert [(item.path, item.why) for item in verdict.unjudged] == [
        ("a.env", "is larger than 2 MiB"),
        ("b.yaml", "is larger than 2 MiB"),
    ]


def test_a_file_that_is_named_is_told_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.env")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    reading = read_paths([tmp_path / "pipe.env", tmp_path / "broken"], tmp_path)
    assert [item.why for item in reading.unread] == [
        "is no regular file",
        "cannot be read: No such file or directory",
    ]


def test_an_unreadable_byte_is_no_end_of_a_check(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_bytes(b"A=\xff\xfe\nREDIS_HOST=redis-01\n")
    assert [item.line for item in judged(tmp_path).violations] == [2]
