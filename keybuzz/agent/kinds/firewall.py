"""UFW: only our own rules are added or removed, and it is never reset."""

from __future__ import annotations

import os
import re
import shutil

from keybuzz.agent import undo
from keybuzz.agent.children import run as run_child
from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.context import Context
    from keybuzz.agent.kinds import Query, State

_FILES = (
    "/etc/ufw/user.rules",
    "/etc/ufw/user6.rules",
    "/etc/default/ufw",
    "/etc/ufw/ufw.conf",
)
_SAVED = "/run/kbz-undo-firewall"
_WAS_ACTIVE = f"{_SAVED}/was-active"
_DEFAULTS = re.compile(r"Default: (\w+) \(incoming\), (\w+) \(outgoing\)")
_RULE = re.compile(r"^(?P<to>.+?)\s+ALLOW IN\s+(?P<source>.+?)\s+# (?P<comment>kbz:\S+)$")
_ADDED = re.compile(r"^ufw (?P<rule>allow .*?) comment '(?P<comment>kbz:[^']*)'$")


def _ufw(*arguments: str) -> str:
    done = run_child(["ufw", *arguments], timeout=60)
    if done.exit_code != 0:
        text = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise AgentError(f"ufw {arguments[0]} failed: {text}", "ufw status verbose")
    return done.stdout.decode(errors="replace")


def read_firewall(query: Query, context: Context) -> State:
    """Read what `ufw status verbose` says, and of the rules those that carry our mark."""
    text = _ufw("status", "verbose")
    confirmed = not undo.armed("firewall")
    if "Status: active" not in text:
        found: dict[str, Any] = {"active": False, "incoming": "", "outgoing": "", "rules": []}
        return {"present": True, "attributes": {**found, "confirmed": confirmed}}
    defaults = _DEFAULTS.search(text)
    rules = [
        _rule_text(match) for line in text.splitlines() if (match := _RULE.match(line.strip()))
    ]
    return {
        "present": True,
        "attributes": {
            "active": True,
            "incoming": defaults.group(1) if defaults else "",
            "outgoing": defaults.group(2) if defaults else "",
            "rules": sorted(rules),
            "confirmed": confirmed,
        },
    }


def _rule_text(match: re.Match[str]) -> str:
    where = match["to"].strip().lower()
    return f"allow {where} from {match['source'].strip()} ({match['comment']})"


def write_firewall(order: Query, context: Context) -> None:
    """Allow first, then the defaults, then remove our stale rules, then enable with the undo armed."""
    if not undo.armed("firewall"):
        _save()
    undo.arm("firewall", _undo_script())
    for rule in order["rules"]:
        _ufw(*_allow(rule))
    _ufw("default", order["incoming"], "incoming")
    _ufw("default", order["outgoing"], "outgoing")
    _remove_stale(order)
    _ufw("--force", "enable")


def _save() -> None:
    """Keep the firewall as it is now. While an undo is armed, the copy is the last confirmed state and stays."""
    active = "Status: active" in _ufw("status")
    shutil.rmtree(_SAVED, ignore_errors=True)
    os.mkdir(_SAVED, 0o700)
    for path in _FILES:
        shutil.copy2(path, _SAVED)
    if active:
        with open(_WAS_ACTIVE, "xb"):
            pass


def _undo_script() -> str:
    """Return the commands that bring back what was saved: the old rules in force, or no firewall."""
    restore = "; ".join(f"cp -p {_SAVED}/{os.path.basename(path)} {path}" for path in _FILES)
    if os.path.exists(_WAS_ACTIVE):
        return f"{restore}; ufw reload || ufw --force enable"
    return f"ufw --force disable; {restore}"


def _allow(rule: dict[str, str]) -> list[str]:
    arguments = ["allow", "from", rule["source"], "to", "any"]
    if rule["port"]:
        arguments += ["port", rule["port"]]
    if rule["protocol"]:
        arguments += ["proto", rule["protocol"]]
    return [*arguments, "comment", rule["comment"]]


def _remove_stale(order: Query) -> None:
    wanted = {" ".join(_allow(rule)[:-2]) for rule in order["rules"]}
    for line in _ufw("show", "added").splitlines():
        match = _ADDED.match(line.strip())
        if match and _canonical(match["rule"]) not in {_canonical(rule) for rule in wanted}:
            _ufw("--force", "delete", *match["rule"].split())


def _canonical(rule: str) -> str:
    """Return the rule as `ufw show added` writes it: without the words that it leaves out."""
    return rule.replace(" to any port", " port").replace(" to any", "")
