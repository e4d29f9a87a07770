"""Every built stand-in keeps the contract of the image that it stands for: what Docker says of it, and what it does."""

from __future__ import annotations

from typing import Any

import pytest

from keybuzz.lab.supply.contract import Contract, Kind, contracts
from tests.lab.conftest import until
from tests.lab.support.built import REFERENCES, Engine

pytestmark = pytest.mark.lab

BUILT = tuple(contract for contract in contracts() if contract.recipe in REFERENCES)


def having(kind: Kind) -> pytest.MarkDecorator:
    """Run a test for every contract that has a line of this kind."""
    found = [contract for contract in BUILT if contract.says(kind)]
    assert found
    return pytest.mark.parametrize("contract", found, ids=[one.recipe for one in found])


def said(config: dict[str, Any], kind: Kind) -> tuple[str, ...]:
    """Return what `docker image inspect` says about one kind of line."""
    one_word = {
        Kind.USER: "User",
        Kind.WORKING_DIRECTORY: "WorkingDir",
        Kind.STOP_SIGNAL: "StopSignal",
    }
    many = {Kind.ENTRYPOINT: "Entrypoint", Kind.COMMAND: "Cmd"}
    names = {Kind.PORTS: "ExposedPorts", Kind.VOLUMES: "Volumes"}
    if kind in one_word:
        word = config.get(one_word[kind]) or ""
        return (word,) if word else ()
    if kind in names:
        return tuple(sorted(config.get(names[kind]) or {}))
    return tuple(config.get(many[kind]) or ())


@pytest.mark.parametrize("contract", BUILT, ids=[contract.recipe for contract in BUILT])
def test_docker_inspect_says_what_the_contract_says(docker: Engine, contract: Contract) -> None:
    config = docker.inspect(contract.recipe)
    plain = (
        *(Kind.ENTRYPOINT, Kind.COMMAND, Kind.USER, Kind.WORKING_DIRECTORY),
        *(Kind.STOP_SIGNAL, Kind.PORTS, Kind.VOLUMES),
    )
    for kind in (kind for kind in plain if contract.says(kind)):
        wanted = contract.words(kind)
        wanted = tuple(sorted(wanted)) if kind in (Kind.PORTS, Kind.VOLUMES) else wanted
        assert said(config, kind) == wanted, kind
    environment = dict(item.split("=", 1) for item in config["Env"])
    for item in contract.words(Kind.ENVIRONMENT):
        name, value = item.split("=", 1)
        assert environment[name] == value
    path = environment["PATH"].split(":")
    begins = contract.words(Kind.SEARCH_PATH)
    assert tuple(path[: len(begins)]) == begins


@having(Kind.PROGRAMS)
def test_the_programs_are_there(docker: Engine, contract: Contract) -> None:
    script = "for name; do command -v $name >/dev/null || echo $name; done"
    programs = contract.words(Kind.PROGRAMS)
    done = docker.once(
        contract.recipe, "-c", script, "-", *programs, options=("--entrypoint", "sh")
    )
    assert (done.code, done.stdout) == (0, "")


@having(Kind.ACCOUNTS)
def test_the_accounts_are_there(docker: Engine, contract: Contract) -> None:
    passwd = docker.once(contract.recipe, "/etc/passwd", options=("--entrypoint", "cat")).stdout
    rows = [line.split(":") for line in passwd.splitlines()]
    found = {f"{row[0]}:{row[2]}:{row[3]}" for row in rows}
    assert set(contract.words(Kind.ACCOUNTS)) <= found


@having(Kind.NO_ACCOUNT)
def test_a_user_without_an_account_has_none(docker: Engine, contract: Contract) -> None:
    passwd = docker.once(contract.recipe, "/etc/passwd", options=("--entrypoint", "cat")).stdout
    uids = {line.split(":")[2] for line in passwd.splitlines()}
    assert uids
    assert not uids & set(contract.words(Kind.NO_ACCOUNT))
    own = docker.once(contract.recipe, "-u", "-g", options=("--entrypoint", "id"))
    assert docker.once(contract.recipe, options=("--entrypoint", "id")).stdout.startswith(
        "uid=1001 gid=0(root)"
    ), own


@having(Kind.PATHS)
def test_the_paths_have_their_owner_and_mode(docker: Engine, contract: Contract) -> None:
    for line in contract.words(Kind.PATHS):
        path, owner, mode = line.split()
        options = ("--entrypoint", "stat")
        done = docker.once(contract.recipe, "-c", "%u:%g %a", path, options=options)
        assert done.stdout.strip() == f"{owner} {mode}", path


@having(Kind.ENDS_WITH)
def test_a_deprecated_variable_ends_the_container(docker: Engine, contract: Contract) -> None:
    for name in contract.words(Kind.ENDS_WITH):
        done = docker.once(
            contract.recipe, "rabbitmqctl", "version", options=("--env", f"{name}=x")
        )
        assert (done.code, f"{name} is set but deprecated" in done.stderr) == (1, True), name
    assert docker.once(contract.recipe, "rabbitmqctl", "version").code == 0


@having(Kind.LEAVES_ROOT_FOR)
def test_the_entry_point_leaves_root_for_its_own_programs_only(
    docker: Engine, contract: Contract
) -> None:
    account = contract.words(Kind.ACCOUNTS)[0].split(":")
    own = contract.words(Kind.COMMAND)[0]
    with docker.running(contract.recipe, own) as container:
        shown = "stat -c %u /proc/1"
        until(lambda: container.says(shown).strip() == account[1], 30, "root is left behind")
    assert docker.once(contract.recipe, "id", "-u").stdout.strip() == "0"


def test_a_container_without_a_command_has_its_images(docker: Engine) -> None:
    """What made a described ProxySQL different for ever: `docker inspect` shows words that nobody gave."""
    name = docker.good("create", REFERENCES["proxysql"]).strip()
    try:
        shown = docker.good("inspect", "-f", "{{json .Config.Cmd}}", name)
        assert shown.strip() == '["proxysql","-f","--idle-threads","-D","/var/lib/proxysql"]'
    finally:
        docker.good("rm", name)
