"""UFW: only our own rules are added or removed, and it is never reset."""

from __future__ import annotations

import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.runtime import undo
from keybuzz.agent.runtime.atomic import discard, replace, replacing
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_FILES = (
    "/etc/ufw/user.rules",
    "/etc/ufw/user6.rules",
    "/etc/default/ufw",
    "/etc/ufw/ufw.conf",
)
_SAVED = "/run/kbz-undo-firewall"
_WAS_ACTIVE = f"{_SAVED}/was-active"
_LOADED = "\n-A ufw-user-input "
"""How a rule begins, in ufw's file and in what the kernel says."""
_CHAIN = "\n-N ufw-user-input\n"
_JUMPS = tuple(
    f"\n-A INPUT -j ufw-{name}-input\n"
    for name in ("before-logging", "before", "after", "after-logging", "reject", "track")
)
"""What leads to ufw's chains."""
_POLICIES = {"DROP": "deny", "REJECT": "reject", "ACCEPT": "allow"}
_ENABLED = "\nENABLED=yes\n"
_RULE = "### tuple ### allow "
_COMMENT = "comment="
_HEXADECIMAL = frozenset("0123456789abcdef")
_UFWS = Pattern(r"(?m)^-N (ufw-\S+)$")
_MARK = "kbz:"
_ANY = "any"
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_ADDED = Pattern(r"^ufw (?P<rule>allow .*?) comment '(?P<comment>kbz:[^']*)'$")


_NO_LOCK = {"XTABLES_LOCKFILE": "/dev/null"}
"""The older iptables makes the file of its lock even to list rules."""


def _call(
    *argv: str,
    stdin: bytes = b"",
    hint: str = "iptables -S",
    env: Mapping[str, str] | None = None,
) -> str:
    """Return what a program says; AgentError, which names its first two words, when it fails."""
    done = run_child(argv, stdin=stdin, timeout=60, env=env)
    if done.exit_code != 0:
        text = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise AgentError(f"{' '.join(argv[:2])} failed: {text}", hint)
    return done.stdout.decode(errors="replace")


def _ufw(*arguments: str) -> str:
    return _call("ufw", *arguments, hint="ufw status verbose")


def read_firewall(query: Query, context: Context) -> State:
    """Read what `ufw status verbose` reads, and of the rules those that carry our mark.

    Not by ufw itself, which is a Python program that takes 0.3 s of a core to say it. It counts as active when the
    kernel has its chain with all rules of the file, and what leads to it: ufw would see neither of them missing.
    """
    rules, defaults, settings = (_text(path) for path in (_FILES[0], _FILES[2], _FILES[3]))
    confirmed = not undo.armed("firewall")
    active = _ENABLED in f"\n{settings}\n" and _in_force(_kernel(), rules)
    found: dict[str, Any] = {"active": active, "incoming": "", "outgoing": "", "rules": []}
    if active:
        found.update(_policies(defaults))
        found["rules"] = sorted(_rule_texts(rules) | _of_ipv6_only(_text(_FILES[1])))
    if (found["rules"], found["incoming"]) != (query["described"], query["incoming"]):
        found.update(_would_cut(query, ours=bool(_rule_texts(rules))))
    return {"present": True, "attributes": {**found, "confirmed": confirmed}}


def _would_cut(query: Query, *, ours: bool) -> dict[str, list[str]]:
    """Return what a change would cut off; attributes that are not compared, but that a rollout refuses on.

    Where the firewall has had rules of ours, which ports it closes was decided then.
    """
    from keybuzz.agent.kinds.host import (
        reach,
    )  # not before it is needed: it costs some milliseconds

    served = [] if ours else reach.served(query["ports"])
    return {
        "shut_out": reach.shut_out(query["sources"]),
        "served": served,
        "clients": reach.clients(served, query["inside"]),
    }


def _of_ipv6_only(rules: str) -> set[str]:
    """Return the rules whose source is an IPv6 network: ufw writes those for any source into both files."""
    return {rule for rule in _rule_texts(rules) if f" from {_ANY} " not in rule}


def _rule_texts(rules: str) -> set[str]:
    return set(filter(None, map(_rule_text, _rules(rules))))


def _rules(text: str) -> Iterator[dict[str, str]]:
    """Yield what a file has of each rule that lets in and has a comment, in hexadecimal digits.

    ufw writes `### tuple ### allow tcp 22 0.0.0.0/0 any 10.0.0.0/16 in comment=6b627a` above the line for the kernel.
    """
    for line in text.split("\n"):
        words = line.split(" ")
        if not line.startswith(_RULE) or len(words) != 11 or words != line.split():
            continue
        protocol, port, to, between, source, way, comment = words[4:]
        digits = comment.removeprefix(_COMMENT)
        if (between, way) != ("any", "in") or digits == comment or not digits:
            continue
        if _HEXADECIMAL.issuperset(digits):
            names = ("protocol", "port", "to", "source", "comment")
            yield dict(zip(names, (protocol, port, to, source, digits), strict=True))


def _text(path: str) -> str:
    try:
        return opener.text(path, opener.LARGE, final=True)
    except OSError as error:
        raise AgentError(
            f"{path} cannot be read: {error.strerror}", "apt-get install ufw"
        ) from None


def _policies(defaults: str) -> dict[str, str]:
    """Return the words of `ufw default` for what comes in and goes out; "" for what is not known."""
    return {"incoming": _policy(defaults, "INPUT"), "outgoing": _policy(defaults, "OUTPUT")}


def _policy(defaults: str, chain: str) -> str:
    """Return the word of the last line that sets the policy of a chain, as `DEFAULT_INPUT_POLICY="DROP"` does."""
    name, found = f"DEFAULT_{chain}_POLICY=", ""
    for line in defaults.split("\n"):
        word = line.removeprefix(name).removeprefix('"').removesuffix('"')
        if line.startswith(name) and word.replace("_", "a").isalnum():
            found = _POLICIES.get(word, "")
    return found


def _kernel() -> str:
    """Return the kernel's chains and rules, each on a line of its own between two line feeds."""
    return "\n" + _call("iptables", "-S", env=_NO_LOCK)


def _in_force(kernel: str, rules: str) -> bool:
    complete = kernel.count(_LOADED) >= rules.count(_LOADED)
    return _CHAIN in kernel and complete and _led_to(kernel)


def _led_to(kernel: str) -> bool:
    return all(jump in kernel for jump in _JUMPS)


def _rule_text(rule: dict[str, str]) -> str:
    """Return one of our rules as keybuzz.model.host.system.FirewallRule writes it; "" for a rule of another program."""
    comment = _comment(rule)
    if not comment.startswith(_MARK):
        return ""
    port, protocol = (rule[name].replace("any", "") for name in ("port", "protocol"))
    where = f"{port}/{protocol}" if protocol else port or "anywhere"
    if rule["to"] not in _EVERYWHERE:
        where = f"{rule['to']} {where}"
    source = _ANY if rule["source"] in _EVERYWHERE else rule["source"]
    return f"allow {where} from {source} ({comment})"


def _comment(rule: dict[str, str]) -> str:
    return bytes.fromhex(rule["comment"]).decode(errors="replace")


def write_firewall(order: Query, context: Context) -> None:
    """Allow first, then the defaults, then remove our stale rules, then enable with the undo armed.

    ufw is called for what its files do not say yet: each call of it takes 0.2 s of a core. What was changed in the
    kernel's tables alone is in no file, so a firewall that was loaded before is loaded anew.
    """
    kernel = _kernel()
    was_loaded = _CHAIN in kernel
    if not undo.armed("firewall"):
        _save(was_loaded)
    undo.arm("firewall", _undo_script())
    if was_loaded and not _led_to(kernel):
        _unload(kernel)
        _ufw("reload")
    wanted = {_identity(_of(rule)): rule for rule in order["rules"]}
    there = _ours(_FILES[0])
    for identity, rule in wanted.items():
        if identity not in there:
            _ufw(*_allow(rule))
    policies = _policies(_text(_FILES[2]))
    for direction in ("incoming", "outgoing"):
        if policies[direction] != order[direction]:
            _ufw("default", order[direction], direction)
    if (there | _ours(_FILES[1])) - wanted.keys():
        _remove_stale(order)
    _ufw("--force", "enable")
    if was_loaded:
        _ufw("reload")  # `enable` does nothing where ufw calls itself enabled


def _ours(path: str) -> set[tuple[str, ...]]:
    """Return the identities of the rules in one of ufw's files that carry our mark."""
    return {_identity(r) for r in _rules(_text(path)) if _comment(r).startswith(_MARK)}


def _of(rule: dict[str, str]) -> dict[str, str]:
    """Return what ufw's file has of a rule that is asked for."""
    fields = {name: rule[name] or "any" for name in ("protocol", "port", "source")}
    return {**fields, "to": _EVERYWHERE[0], "comment": rule["comment"].encode().hex()}


def _identity(fields: dict[str, str]) -> tuple[str, ...]:
    names = ("protocol", "port", "to", "source", "comment")
    return tuple("any" if fields[name] in _EVERYWHERE else fields[name] for name in names)


def _unload(kernel: str) -> None:
    """Take ufw's chains out of the kernel in one step, and nothing else.

    ufw leads INPUT to its chains only when it makes them. Where INPUT was flushed, its `reload` would deny all
    that comes in, and let no packet through to its rules.
    """
    chains = _UFWS.findall(kernel)
    jumps = [
        line for line in kernel.splitlines() if line.endswith(tuple(f" -j {c}" for c in chains))
    ]
    outside = [line for line in jumps if line.split()[1] not in chains]
    orders = [
        "*filter",
        *(line.replace("-A", "-D", 1) for line in outside),
        *(f"-F {chain}" for chain in chains),
        *(f"-X {chain}" for chain in chains),
        "COMMIT\n",
    ]
    _call("iptables-restore", "--noflush", "--wait", stdin="\n".join(orders).encode())


def _save(active: bool) -> None:
    """Keep the firewall as it is now. While an undo is armed, the copy is the last confirmed state and stays."""
    for path in (*map(_saved, _FILES), _WAS_ACTIVE):
        discard(path)
    opener.make_folders(_SAVED, 0o700)
    for path in _FILES:
        with os.fdopen(opener.opened(path, final=True), "rb") as file:
            content = opener.whole(file.fileno(), path, opener.LARGE)
            status = os.fstat(file.fileno())
        owner, mode = (status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode)
        with replacing(_saved(path), content, *owner, mode):
            pass
    if active:
        replace(_WAS_ACTIVE, b"")


def _saved(path: str) -> str:
    return f"{_SAVED}/{os.path.basename(path)}"


def _undo_script() -> str:
    """Return the commands that bring back what was saved: the old rules in force, or no firewall."""
    restore = "; ".join(f"cp -p {_saved(path)} {path}" for path in _FILES)
    if opener.is_there(_WAS_ACTIVE):
        return f"{restore}; ufw reload || ufw --force enable"
    return f"ufw --force disable; {restore}"


def _allow(rule: dict[str, str]) -> list[str]:
    if rule["source"] == _ANY:
        return ["allow", f"{rule['port']}/{rule['protocol']}", "comment", rule["comment"]]
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
