"""What the effective firewall lets in and no mark of ours explains, in both families and in nat.

ufw's own files say what it was told by hand; the kernel says what was put before it. Nothing is changed, and where ufw
is not at work there is nothing to compare with.
"""

from __future__ import annotations

import re

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "/etc/ufw"
DEFAULTS = "/etc/default/ufw"
_TUPLE = re.compile(
    r"^### tuple ### (?P<action>allow|limit) (?P<protocol>\S+) (?P<port>\S+) \S+ \S+ (?P<source>\S+) in"
    r"(?: comment=(?P<comment>[0-9a-f]*))?$",
    re.M,
)
"""A rule that lets something in, as ufw writes it above the line for the kernel."""
_MARK = "kbz:"
_ANYWHERE = ("0.0.0.0/0", "::/0")
_ENABLED = re.compile(r"^ENABLED=yes$", re.M)
_NO_IPV6 = re.compile(r'^IPV6="?no"?$', re.M)
_POLICY = re.compile(r"^-P INPUT ACCEPT$", re.M)
_ACCEPTED = re.compile(r"^-A INPUT (?:.* )?-j ACCEPT$", re.M)
_LED_ON = re.compile(r"^-A (?:PREROUTING|OUTPUT) (?:.* )?-j (?:DNAT|REDIRECT)\b.*$", re.M)
_NO_LOCK = {"XTABLES_LOCKFILE": "/dev/null"}
"""The older iptables makes the file of its lock even to list rules."""


def doors() -> list[list[str]]:
    """Return identity and meaning of each door; none where ufw is not at work."""
    if not _ENABLED.search(_text(f"{FOLDER}/ufw.conf")):
        return []
    found = dict(_by_hand())
    if _NO_IPV6.search(_text(DEFAULTS)):
        found["ipv6"] = "IPV6=no: ufw filters nothing that comes over IPv6"
    for family, program in (("IPv4", "iptables"), ("IPv6", "ip6tables")):
        kernel = _listed(program, "-S")
        if _POLICY.search(kernel):
            found[f"{family} policy"] = (
                "what no rule names is let in: the policy of INPUT is ACCEPT"
            )
        for line in _ACCEPTED.findall(kernel):
            found[f"{family} {line}"] = "lets in before ufw is asked"
    for line in _LED_ON.findall(_listed("iptables", "-t", "nat", "-S")):
        found[f"nat {line}"] = "leads to another address or port"
    return [[identity, what] for identity, what in sorted(found.items())]


def _by_hand() -> Iterator[tuple[str, str]]:
    for name in ("user.rules", "user6.rules"):
        for rule in _TUPLE.finditer(_text(f"{FOLDER}/{name}")):
            comment = bytes.fromhex(rule["comment"] or "").decode("utf-8", "replace")
            if comment.startswith(_MARK):
                continue
            anywhere = rule["source"] in _ANYWHERE
            source = "anywhere" if anywhere else rule["source"]
            what = "lets in the whole Internet" if anywhere else "lets in by hand"
            place = "any" if rule["port"] == "any" else f"{rule['port']}/{rule['protocol']}"
            yield f"ufw {place} from {source}", what


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except FileNotFoundError:
        return ""


def _listed(*argv: str) -> str:
    """Return the kernel's rules; empty where this host does not have the program or the table."""
    try:
        done = run_child(argv, timeout=30, env=_NO_LOCK)
    except (AgentError, OSError):
        return ""
    return done.stdout.decode(errors="replace") if done.exit_code == 0 else ""
