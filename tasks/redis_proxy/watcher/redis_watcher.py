"""Keeps HAProxy's one Redis server at the master that Sentinel names (RED-3). Standard library only.

Each round: every Sentinel is asked; a node that a majority of them names, and that says of itself that it is the
master, gets the route. Anything less leaves the route as it is, and the heartbeat says why: one Sentinel alone may be
the one that slept through a failover. When fewer than a majority of them answer for longer than Sentinel takes to call
a master down, the route is closed: the other side may have another master by now, and what is written here would be
lost. It opens again with the next round that succeeds. No node is promoted here. The configuration is read again in
each round, so that a new password needs no restart.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any, NamedTuple

PATIENCE = 1.0
"""Seconds for each answer: three Sentinels that are away take three of them, and a round stays below 5 s."""
LARGEST = 1 << 18
"""Bytes of one answer."""

BORN_CLOSED = 4
"""Of srv_admin_state: it says `disabled` in haproxy.cfg, which stays set however the server is now."""


class Trouble(Exception):
    """Why there is no answer, as one sentence."""


class Refused(Trouble):
    """The answer is an error: the Sentinel or node that gave it runs."""


class Alone(Trouble):
    """Fewer than a majority of the Sentinels answer: a failover would not be learned of here."""


class Place(NamedTuple):
    """Where a daemon listens."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


NO_MASTER = Place("", 0)
"""What a Sentinel names that answers, and knows no such master or tells it not."""


class Configuration(NamedTuple):
    """The file watcher.json."""

    sentinels: tuple[Place, ...]
    master_name: str
    password: str
    socket: str
    server: str
    """As HAProxy names it: backend/server."""
    heartbeat: str
    interval: float
    down_after: float = 5.0
    """Seconds after which Sentinel calls a master down."""


class Route(NamedTuple):
    """Where HAProxy's server leads, and whether it takes sessions."""

    place: Place
    open: bool


def read_configuration(path: str) -> Configuration:
    """Read watcher.json; Trouble when it can not be used."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        sentinels = tuple(Place(address, int(port)) for address, port in found.pop("sentinels"))
        return Configuration(sentinels, **found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Trouble(f"{path} can not be used: {type(error).__name__}") from None


def agreed(votes: dict[Place, Place | None]) -> Place:
    """Return what a majority of all Sentinels names; Trouble when there is none. None stands for no answer.

    Alone when fewer than a majority answer at all.
    """
    named = [place for place in votes.values() if place is not None]
    for place in set(named) - {NO_MASTER}:
        if named.count(place) > len(votes) // 2:
            return place
    if not named:
        raise Alone("no Sentinel answers")
    if len(named) <= len(votes) // 2:
        away = ", ".join(str(place.address) for place, said in sorted(votes.items()) if not said)
        raise Alone(f"no majority of the Sentinels answers: {away}")
    said = ", ".join(f"{s.address} says {_word(votes[s])}" for s in sorted(votes))
    raise Trouble(f"no majority of the Sentinels agrees: {said}")


def _word(said: Place | None) -> str:
    if said is None:
        return "nothing"
    return "no master" if said == NO_MASTER else str(said)


def encoded(words: tuple[str, ...]) -> bytes:
    """Return a command as Redis reads it."""
    parts = [word.encode() for word in words]
    frames = [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join(frames)


def ask(place: Place, *commands: tuple[str, ...]) -> list[Any]:
    """Send commands to Redis or Sentinel and return their answers; Trouble for an error or for silence."""
    deadline = time.monotonic() + PATIENCE
    try:
        with socket.create_connection(place, PATIENCE) as connection:
            connection.sendall(b"".join(map(encoded, commands)))
            reader = Reader(connection, deadline)
            return [reader.reply() for _ in commands]
    except (OSError, ValueError) as error:
        raise Trouble(f"{place} does not answer: {error}") from None


class Reader:
    """Reads answers of Redis's protocol, up to a deadline."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._rest = b""

    def reply(self) -> Any:
        """Return the next answer: a text, a number, None, or a list of those; Trouble for an error."""
        line, self._rest = self._until(b"\r\n").split(b"\r\n", 1)
        kind, text = line[:1], line[1:].decode(errors="replace")
        if kind == b"-":
            raise Refused(text)
        if kind in (b"+", b":"):
            return text
        size = int(text)
        if size < 0:
            return None
        if kind == b"$":
            while len(self._rest) < size + 2:
                self._receive()
            data, self._rest = self._rest[:size], self._rest[size + 2 :]
            return data.decode(errors="replace")
        return [self.reply() for _ in range(size)]

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._receive()
        return self._rest

    def _receive(self) -> None:
        self._connection.settimeout(max(0.001, self._deadline - time.monotonic()))
        block = self._connection.recv(65536)
        if not block or len(self._rest) > LARGEST:
            raise ValueError("the answer does not end as it should")
        self._rest += block


def named_by(sentinel: Place, master_name: str) -> Place | None:
    """Return the master that one Sentinel names, NO_MASTER when it names none; None when it does not answer."""
    try:
        [found] = ask(sentinel, ("SENTINEL", "get-master-addr-by-name", master_name))
        return Place(found[0], int(found[1])) if found else NO_MASTER
    except Refused:
        return NO_MASTER
    except (Trouble, ValueError, IndexError, TypeError):
        return None


def require_master(place: Place, password: str) -> None:
    """Return when the node says of itself that it is the master; else Trouble."""
    _, role = ask(place, ("AUTH", password), ("ROLE",))
    said = role[0] if isinstance(role, list) and role else role
    if said != "master":
        raise Trouble(f"Sentinel names {place}, which says that it is {said}")


def command(path: str, line: str) -> str:
    """Send one line to HAProxy's runtime socket and return what it answers; Trouble when nobody is there."""
    deadline = time.monotonic() + PATIENCE
    data = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
            connection.sendall(line.encode() + b"\n")
            while block := connection.recv(65536):
                data += block
                if len(data) > LARGEST or time.monotonic() > deadline:
                    raise ValueError("its answer never ends")
    except (OSError, ValueError) as error:
        raise Trouble(f"HAProxy does not answer: {error}") from None
    return data.decode(errors="replace").strip()


def route_of(text: str, server: str) -> Route:
    """Read a server's line in the answer to `show servers state`; Trouble when it is not there."""
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        row = dict(zip(names, line.split()))  # noqa: B905 - old and new HAProxy differ in what follows
        if f"{row.get('be_name')}/{row.get('srv_name')}" == server:
            place = Place(row["srv_addr"], int(row["srv_port"]))
            return Route(place, not int(row["srv_admin_state"]) & ~BORN_CLOSED)
    raise Trouble(f"HAProxy has no server {server}")


def steer(path: str, server: str, place: Place) -> bool:
    """Bring the route to this place if it is not there; return whether anything was to be done."""
    show = f"show servers state {server.partition('/')[0]}"
    if route_of(command(path, show), server) == (place, True):
        return False
    # Closed while it changes; sessions to the node before would only get READONLY errors.
    for line in (
        f"set server {server} state maint",
        f"set server {server} addr {place.address} port {place.port}",
        f"shutdown sessions server {server}",
        f"set server {server} state ready",
    ):
        said = command(path, line)
    now = route_of(command(path, show), server)
    if now != (place, True):
        raise Trouble(
            f"HAProxy leads to {now.place} and not to {place}: {said or 'it says nothing'}"
        )
    return True


def close(path: str, server: str) -> bool:
    """Let no session through, if one could come; return whether anything was to be done."""
    show = f"show servers state {server.partition('/')[0]}"
    if not route_of(command(path, show), server).open:
        return False
    command(path, f"set server {server} state maint")
    said = command(path, f"shutdown sessions server {server}")
    if route_of(command(path, show), server).open:
        raise Trouble(f"HAProxy does not close the route: {said or 'it says nothing'}")
    return True


def attempt(configuration: Configuration) -> tuple[Place, bool]:
    """Do one round; return the master, and whether the route was changed. Trouble leaves the route as it is."""
    votes = {place: named_by(place, configuration.master_name) for place in configuration.sentinels}
    master = agreed(votes)
    require_master(master, configuration.password)
    return master, steer(configuration.socket, configuration.server, master)


def write_heartbeat(path: str, beat: dict[str, Any]) -> None:
    """Put the heartbeat in place in one step. It holds no secret."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(beat, file)
        file.write("\n")
    os.replace(f"{path}.new", path)


def run_round(path: str, beat: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Do one round; return the next heartbeat, which it has written, and the seconds until the next round."""
    beat, pause = {**beat, "pid": os.getpid(), "round": int(time.time())}, 1.0
    try:
        configuration = read_configuration(path)
        pause = configuration.interval
        try:
            master, changed = attempt(configuration)
            beat.update(master=str(master), success=int(time.time()), trouble="", alone_since=None)
            if changed:
                print(f"route set to {master}", flush=True)
        except Alone as trouble:
            _say(beat, _alone(configuration, beat, str(trouble)))
        except Trouble as trouble:
            beat["alone_since"] = None
            _say(beat, str(trouble))
        write_heartbeat(configuration.heartbeat, beat)
    except (Trouble, OSError) as trouble:
        _say(beat, str(trouble))
    return beat, pause


def _alone(configuration: Configuration, beat: dict[str, Any], trouble: str) -> str:
    """Close the route when this has lasted; return what to say of it."""
    # By a clock that is never set; it is of this boot only, as is the process.
    now = time.monotonic()
    since = beat.get("alone_since")
    beat["alone_since"] = now if since is None else since
    if now - beat["alone_since"] <= configuration.down_after:
        return trouble
    try:
        close(configuration.socket, configuration.server)
    except Trouble as unclosed:
        return f"{trouble}; {unclosed}"
    return f"{trouble}; the route is closed until one does"


def _say(beat: dict[str, Any], trouble: str) -> None:
    """Remember why nothing was done; into the journal only when it is new."""
    if beat.get("trouble") != trouble:
        print(trouble, flush=True)
    beat["trouble"] = trouble


def main(path: str, words: list[str]) -> int:
    """Run one round with --once, else rounds until the end of the process."""
    beat: dict[str, Any] = {"master": "", "success": 0, "trouble": ""}
    while True:
        beat, pause = run_round(path, beat)
        if words == ["--once"]:
            return 1 if beat["trouble"] else 0
        time.sleep(pause)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
