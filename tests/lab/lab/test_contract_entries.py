"""Behaviours of the stand-ins' entry points that their contracts name, each run as the real image would."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from tests.lab.conftest import until
from tests.lab.support.built import Engine, Running

pytestmark = pytest.mark.lab

_SH = ("--entrypoint", "sh")
_MANAGED = "[databases]\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=6432\nauth_type=any\nunix_socket_dir=\n"
_CLIENT = "echo in; sleep 60 | psql -h 127.0.0.1 -p 6432 -U adm pgbouncer"


@pytest.mark.parametrize("recipe", ["redis", "pgbouncer"])
def test_sh_is_busybox_where_the_image_is_alpine(docker: Engine, recipe: str) -> None:
    shown = docker.once(recipe, "-c", "readlink -f $(command -v sh)", options=_SH)
    assert shown.stdout.strip().endswith("/busybox")


@pytest.mark.parametrize(
    ("recipe", "words", "answer"),
    [
        ("redis", ("--version",), "Redis server v="),
        ("haproxy", ("-v",), "HAProxy version"),
        ("minio", ("--version",), "minio"),
    ],
)
def test_options_alone_mean_the_server(
    docker: Engine, recipe: str, words: tuple[str, ...], answer: str
) -> None:
    done = docker.once(recipe, *words)
    assert answer in done.stdout + done.stderr


def test_redis_files_are_private(docker: Engine) -> None:
    assert docker.once("redis", "sh", "-c", "umask").stdout.strip() == "0077"


def test_haproxy_runs_as_a_master_in_the_foreground(docker: Engine, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(
        "defaults\n timeout connect 1s\nfrontend f\n bind 127.0.0.1:80\n"
    )
    tmp_path.chmod(0o755)
    options = ("-v", f"{tmp_path}:/usr/local/etc/haproxy:ro")
    with docker.running("haproxy", options=options) as container:
        words = container.says("tr '\\0' ' ' </proc/1/cmdline").split()
        assert words[1:3] == ["-W", "-db"]


def test_a_long_host_name_has_no_effect_on_rabbitmq(docker: Engine) -> None:
    shown = docker.once(
        "rabbitmq", "sh", "-c", "hostname; env", options=("--hostname", "queue-01.example.org")
    ).stdout
    assert "queue-01.example.org" in shown
    assert "USE_LONGNAME" not in shown


def test_rabbitmq_brings_its_plugins_and_defaults(docker: Engine) -> None:
    script = "cat /etc/rabbitmq/enabled_plugins /etc/rabbitmq/conf.d/10-defaults.conf"
    shown = docker.once("rabbitmq", "-c", script, options=_SH).stdout
    assert "rabbitmq_management" in shown
    assert "rabbitmq_prometheus" in shown
    assert "loopback_users.guest = false" in shown
    assert "log.console = true" in shown


def test_minio_runs_as_the_user_that_it_is_told(docker: Engine) -> None:
    names = ("-e", "MINIO_USERNAME=store", "-e", "MINIO_GROUPNAME=store")
    options = (*names, "-e", "MINIO_UID=1234", "-e", "MINIO_GID=1235")
    numbers = "import os; print(os.getuid(), os.getgid())"
    program = f'#!/bin/sh\\nexec python3 -c "{numbers}"\\n'
    script = f"printf '{program}' >/usr/bin/minio; exec docker-entrypoint.sh minio"
    done = docker.once("minio", "-c", script, options=(*options, *_SH))
    assert done.stdout.split() == ["1234", "1235"], done.stderr


def test_pgbouncers_entry_point_writes_missing_files_only(docker: Engine, tmp_path: Path) -> None:
    assert "You must set DB_HOST" in docker.once("pgbouncer", "true").stderr
    shown = docker.once(
        "pgbouncer", "sh", "-c", "cat /etc/pgbouncer/*", options=("-e", "DB_HOST=10.0.0.1")
    )
    assert "host=10.0.0.1 port=5432" in shown.stdout
    (tmp_path / "pgbouncer.ini").write_text(_MANAGED)
    (tmp_path / "userlist.txt").write_text('"adm" "x"\n')
    tmp_path.chmod(0o755)
    options = ("-v", f"{tmp_path}:/etc/pgbouncer:ro", "-e", "DB_HOST=10.0.0.1")
    kept = docker.once("pgbouncer", "sh", "-c", "cat /etc/pgbouncer/*", options=options)
    assert (kept.code, kept.stdout) == (0, _MANAGED + '"adm" "x"\n')


def test_pgbouncer_waits_for_its_clients_on_term_and_for_its_servers_on_int(
    docker: Engine, tmp_path: Path
) -> None:
    (tmp_path / "pgbouncer.ini").write_text(_MANAGED)
    (tmp_path / "userlist.txt").write_text('"adm" "x"\n')
    tmp_path.chmod(0o755)
    options = ("-v", f"{tmp_path}:/etc/pgbouncer:ro")
    for signal, said in (("INT", "waiting for all servers"), ("TERM", "waiting for all clients")):
        with docker.running("pgbouncer", options=options) as container:
            client = _client(container)
            container.signal(signal)
            until(partial(_has_said, container, said), 20, said)
            if signal == "INT":
                until(partial(_has_ended, container), 20, "it ends, whoever is still connected")
            else:
                refused = container.sh(
                    "psql -h 127.0.0.1 -p 6432 -U adm -c 'show version' pgbouncer"
                )
                assert "refused" in refused.stderr
                assert container.runs, "a client is still there"
                container.sh("kill $(pidof psql)")
                until(partial(_has_ended, container), 20, "the last client has left")
            client.join(60)


def _has_said(container: Running, sentence: str) -> bool:
    return sentence in container.log().stderr


def _has_ended(container: Running) -> bool:
    return not container.runs


def _client(container: Running) -> threading.Thread:
    """Connect one client that stays."""
    thread = threading.Thread(target=lambda: container.sh(_CLIENT))
    thread.start()
    until(lambda: "login attempt" in container.log().stderr, 20, "the client is in")
    return thread
