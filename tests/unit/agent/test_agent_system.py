"""The base system as the agent reads and writes it: swap, sshd, the firewall. Each call of a program is noted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.host import firewall, packages, system
from keybuzz.agent.runtime import undo
from keybuzz.agent.runtime.children import Completed
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.system import Firewall, FirewallRule, NoSwap, Package, SshServer

FSTAB = """\
UUID=1 / ext4 defaults 0 1
/dev/vdb /srv/swapped-data xfs noatime 0 2
# /dev/vdc none swap sw 0 0
/swapfile none swap sw 0 0
"""
ADDED = """\
Added user rules (see 'ufw status' for running firewall):
ufw allow from 10.0.0.0/16 to any port 22 proto tcp comment 'kbz:ssh'
ufw allow from 10.9.0.0/16 comment 'kbz:internal'
ufw allow 6443/tcp
ufw allow from 10.42.0.0/16 comment 'by hand'
"""
WANTED = Firewall(
    (
        FirewallRule("10.0.0.0/16", "22", "tcp", "kbz:ssh"),
        FirewallRule("10.0.0.0/16", comment="kbz:internal"),
    )
)


class Calls:
    """A host whose programmes all end well; each call is noted."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.made: list[str] = []
        self.fed: list[str] = []
        self.answers = answers

    def __call__(self, argv: Sequence[str], stdin: bytes = b"", **_: Any) -> Completed:
        words = " ".join(argv)
        self.made.append(words)
        self.fed += [stdin.decode()] if stdin else []
        return Completed(0, self.answers.get(words, "").encode(), b"", False)


def test_only_the_type_field_makes_a_swap_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text(FSTAB)
    calls = Calls({})
    monkeypatch.setattr(system, "_FSTAB", str(fstab))
    monkeypatch.setattr(system, "run_child", calls)
    system.write_swap(NoSwap().order(), None)  # type: ignore[arg-type]
    assert fstab.read_text() == FSTAB.replace("/swapfile none", "# kbz: /swapfile none")
    assert calls.made == ["swapoff -a"]
    read = system.read_swap(NoSwap().query(), None)  # type: ignore[arg-type]
    assert read["attributes"]["in_fstab"] == []


RULES = """\
*filter
:ufw-user-input - [0:0]
### RULES ###

### tuple ### allow tcp 22 0.0.0.0/0 any 10.0.0.0/16 in comment=6b627a3a737368
-A ufw-user-input -p tcp --dport 22 -s 10.0.0.0/16 -j ACCEPT

### tuple ### allow any any 0.0.0.0/0 any 10.0.0.0/16 in comment=6b627a3a696e7465726e616c
-A ufw-user-input -s 10.0.0.0/16 -j ACCEPT

### tuple ### allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 6443 -j ACCEPT

### tuple ### allow any any 0.0.0.0/0 any 10.42.0.0/16 in comment=62792068616e64
-A ufw-user-input -s 10.42.0.0/16 -j ACCEPT
### END RULES ###
COMMIT
"""
"""As ufw 0.36 writes it; the comments are kbz:ssh, kbz:internal, none, and "by hand"."""
USER_RULES = "".join(f"{line}\n" for line in RULES.splitlines() if line.startswith("-A"))
CHAINS = "-P INPUT DROP\n-N DOCKER\n-N ufw-before-input\n-N ufw-user-input\n-A DOCKER -j RETURN\n"
JUMPS = "".join(
    f"-A INPUT -j ufw-{name}-input\n"
    for name in ("before-logging", "before", "after", "after-logging", "reject", "track")
)
KERNEL = CHAINS + JUMPS + USER_RULES
BARE = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n"
ASKED = "iptables -S"


def host_files(
    monkeypatch: pytest.MonkeyPatch, folder: Path, rules: str, *, enabled: str = "yes"
) -> None:
    """Lay ufw's files of a host down, and let the agent look there."""
    texts = {
        "user.rules": rules,
        "user6.rules": "",
        "ufw": 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n',
        "ufw.conf": f"# comment\nENABLED={enabled}\nLOGLEVEL=low\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(firewall, "_FILES", tuple(str(folder / name) for name in texts))
    monkeypatch.setattr(undo, "armed", lambda name: False)


def firewall_of(
    monkeypatch: pytest.MonkeyPatch, folder: Path, run_child: Any, *, enabled: str = "yes"
) -> dict[str, Any]:
    """Return what is read of a host with these files, and with a kernel that answers so."""
    host_files(monkeypatch, folder, RULES, enabled=enabled)
    monkeypatch.setattr(firewall, "run_child", run_child)
    found: dict[str, Any] = firewall.read_firewall(WANTED.query(), None)["attributes"]  # type: ignore[arg-type]
    return found


def test_the_files_of_ufw_say_what_it_would_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = Calls({ASKED: KERNEL})
    found = firewall_of(monkeypatch, tmp_path, calls)
    wanted = dict(WANTED.wanted(DigestKey(b"k" * 32)))
    assert {**found, "rules": tuple(found["rules"])} == wanted
    assert calls.made == [ASKED]


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_firewall_is_active_when_the_kernel_has_all_of_its_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: int
) -> None:
    lines = KERNEL.splitlines(keepends=True)
    calls = Calls({ASKED: "".join(lines[: len(lines) - lost])})
    assert firewall_of(monkeypatch, tmp_path, calls)["active"] == (lost == 0)


@pytest.mark.parametrize("jump", JUMPS.splitlines(keepends=True))
def test_a_firewall_to_which_nothing_leads_is_not_active(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jump: str
) -> None:
    calls = Calls({ASKED: KERNEL.replace(jump, "")})
    assert not firewall_of(monkeypatch, tmp_path, calls)["active"]


def test_a_firewall_that_is_off_or_was_never_loaded_is_not_active(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    off = firewall_of(monkeypatch, tmp_path, Calls({ASKED: KERNEL}), enabled="no")
    never = firewall_of(monkeypatch, tmp_path, Calls({ASKED: BARE}))
    for found in (off, never):
        told = ("shut_out", "served", "clients")
        assert {name: found[name] for name in found if name not in told} == {
            "active": False,
            "incoming": "",
            "outgoing": "",
            "rules": [],
            "confirmed": True,
        }


def test_an_iptables_that_does_not_work_is_an_error_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked = Completed(4, b"", b"Another app is currently holding the xtables lock.", False)
    with pytest.raises(AgentError, match="xtables lock"):
        firewall_of(monkeypatch, tmp_path, lambda argv, **_: locked)


@pytest.fixture
def ufw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """A host whose kernel has no chain of ufw."""
    calls = Calls({"ufw show added": ADDED, ASKED: BARE})
    monkeypatch.setattr(firewall, "run_child", calls)
    monkeypatch.setattr(firewall, "_SAVED", str(tmp_path / "saved"))
    monkeypatch.setattr(firewall, "_WAS_ACTIVE", str(tmp_path / "saved/was-active"))
    monkeypatch.setattr(undo, "arm", lambda name, script: calls.made.append("undo armed"))
    return calls


STALE = """
### tuple ### allow any any 0.0.0.0/0 any 10.9.0.0/16 in comment=6b627a3a696e7465726e616c
-A ufw-user-input -s 10.9.0.0/16 -j ACCEPT
"""
SSH = "ufw allow from 10.0.0.0/16 to any port 22 proto tcp comment kbz:ssh"
INTERNAL = "ufw allow from 10.0.0.0/16 to any comment kbz:internal"


def test_only_our_own_stale_rules_are_removed_and_nothing_is_reset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls
) -> None:
    host_files(monkeypatch, tmp_path, RULES + STALE)
    firewall.write_firewall(WANTED.order(), None)  # type: ignore[arg-type]
    assert [call for call in ufw.made if "delete" in call] == [
        "ufw --force delete allow from 10.9.0.0/16"
    ]
    assert not any("reset" in call for call in ufw.made)


def test_ssh_is_allowed_before_anything_is_denied_and_the_undo_is_armed_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls
) -> None:
    host_files(monkeypatch, tmp_path, "*filter\n", enabled="no")
    (tmp_path / "ufw").write_text('DEFAULT_INPUT_POLICY="ACCEPT"\nDEFAULT_OUTPUT_POLICY="DROP"\n')
    firewall.write_firewall(WANTED.order(), None)  # type: ignore[arg-type]
    assert [call for call in ufw.made if call != ASKED] == [
        "undo armed",
        SSH,
        INTERNAL,
        "ufw default deny incoming",
        "ufw default allow outgoing",
        "ufw --force enable",
    ]


def test_ufw_is_asked_for_what_differs_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls
) -> None:
    of_ssh = RULES.replace("6b627a3a696e7465726e616c", "62792068616e64")
    host_files(monkeypatch, tmp_path, of_ssh, enabled="no")
    firewall.write_firewall(WANTED.order(), None)  # type: ignore[arg-type]
    made = [call for call in ufw.made if call.startswith("ufw")]
    assert made == [INTERNAL, "ufw --force enable"]


@pytest.mark.parametrize(
    "kernel",
    [KERNEL + STALE.splitlines(keepends=True)[-1], CHAINS + JUMPS],
    ids=["full", "emptied"],
)
def test_a_firewall_that_was_loaded_is_loaded_anew_after_all_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls, kernel: str
) -> None:
    """Somebody may have emptied other chains too, and ufw fills its own one again when it deletes a rule."""
    host_files(monkeypatch, tmp_path, RULES + STALE)
    ufw.answers[ASKED] = kernel
    firewall.write_firewall(WANTED.order(), None)  # type: ignore[arg-type]
    assert [call for call in ufw.made if call.startswith("ufw")] == [
        "ufw show added",
        "ufw --force delete allow from 10.9.0.0/16",
        "ufw --force enable",
        "ufw reload",
    ]


def test_where_nothing_leads_to_ufws_chains_it_has_to_make_them_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls
) -> None:
    """Its own reload would deny everything: it leads INPUT to its chains only when it makes them."""
    host_files(monkeypatch, tmp_path, RULES)
    ufw.answers[ASKED] = (
        CHAINS + "-A INPUT -j DOCKER\n" + JUMPS.splitlines(keepends=True)[1] + USER_RULES
    )
    firewall.write_firewall(WANTED.order(), None)  # type: ignore[arg-type]
    restore = "iptables-restore --noflush --wait"
    assert [call for call in ufw.made if call != ASKED] == [
        "undo armed",
        restore,
        "ufw reload",
        "ufw --force enable",
        "ufw reload",
    ]
    flushed = "-F ufw-before-input\n-F ufw-user-input\n-X ufw-before-input\n-X ufw-user-input\n"
    assert ufw.fed == [f"*filter\n-D INPUT -j ufw-before-input\n{flushed}COMMIT\n"]


def test_a_rule_that_is_there_for_ipv6_only_is_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ufw: Calls
) -> None:
    host_files(monkeypatch, tmp_path, RULES)
    rule = "allow tcp 80 ::/0 any ::/0 in comment=6b627a3a776562"
    (tmp_path / "user6.rules").write_text(f"### tuple ### {rule}\n-A ufw6-user-input -j ACCEPT\n")
    rules = (*WANTED.rules, FirewallRule("any", "80", "tcp", "kbz:web"))
    firewall.write_firewall(Firewall(rules).order(), None)  # type: ignore[arg-type]
    added = "ufw allow 80/tcp comment kbz:web"
    assert [call for call in ufw.made if call.startswith("ufw")] == [added, "ufw --force enable"]


def test_sshd_is_compared_by_effect_and_our_file_is_read_before_cloud_inits() -> None:
    server = SshServer((("PasswordAuthentication", "no"),))
    assert Path(server.path).name < "50-cloud-init.conf"
    assert server.query()["options"] == ["passwordauthentication"]


def test_a_locked_dpkg_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x_Packages").touch()
    calls = Calls({})
    monkeypatch.setattr(packages, "_LISTS", str(tmp_path))
    monkeypatch.setattr(packages, "_STATUS", str(tmp_path / "x_Packages"))
    monkeypatch.setattr(packages, "run_child", calls)

    class Request:
        def once(self, name: str, read: Any) -> Any:
            return read()

        def once_in_request(self, name: str, act: Any) -> Any:
            return act()

    packages.write_package(Package("jq").order(), Request())  # type: ignore[arg-type]
    [install] = calls.made
    assert "DPkg::Lock::Timeout=120" in install
