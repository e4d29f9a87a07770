"""Three nodes as one: how they begin together, when they may write, and how what one missed comes to it later."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from minio_server.arguments import Arguments
from minio_server.drive import DamagedError, Drive, Meta
from minio_server.peers import AwayError, Peer

_ROUND = 0.3
"""Seconds between two looks at the others."""
Value = TypeVar("Value")


class QuorumError(Exception):
    """Too few drives for what was asked; `what` is read or write."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no {what} quorum")
        self.what = what


class Cluster:
    """This node's view of all, and its own drive."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.drive = Drive(arguments.path)
        self.ready = threading.Event()
        self.started = time.time()
        self.thawed = threading.Event()
        """While it is not set, requests of S3 wait (mc admin service freeze); a start always sets it."""
        self.thawed.set()
        self._own = self.drive.format()
        self.peers = tuple(
            Peer(node, place, arguments.token)
            for place, node in enumerate(arguments.nodes)
            if place != arguments.own
        )
        self._pool = ThreadPoolExecutor(8)
        self._said = ""

    # Who is there.

    def state(self) -> dict[str, Any]:
        """Return what others must know of this node."""
        return {
            "configuration": self.arguments.configuration(),
            "format": self._own,
            "ready": self.ready.is_set(),
            "healing": self.drive.healing,
        }

    def online(self) -> list[Peer]:
        """Return the nodes whose drive belongs to ours now."""
        return [peer for peer in self.peers if self._belongs(peer)]

    def _belongs(self, peer: Peer) -> bool:
        form = (peer.state or {}).get("format")
        return bool(form and self._own and form["id"] == self._own["id"])

    def writable(self) -> bool:
        """Say whether enough drives are there."""
        return self.ready.is_set() and 1 + len(self.online()) >= self.arguments.quorum

    def freeze(self, *, frozen: bool) -> None:
        """Hold requests of S3 back, or let them go on: on this node and, by its word, on the others."""
        self.take_freeze(frozen=frozen)
        for peer in self.online():
            peer.call("freeze" if frozen else "unfreeze")

    def take_freeze(self, *, frozen: bool) -> None:
        """Hold them back on this node, or let them go on."""
        (self.thawed.clear if frozen else self.thawed.set)()

    # The beginning.

    def run(self) -> None:
        """Begin with the others, then keep looking at them; never returns."""
        while not self.ready.is_set():
            self._look()
            self._begin()
            time.sleep(_ROUND)
        print(
            f"MinIO Object Storage Server (stand-in of kbz): {self._drives_there()} drives online",
            file=sys.stderr,
        )
        for peer in self.online():
            self._exchange(peer)
        while True:
            before = set(self.online())
            self._look()
            for peer in set(self.online()) - before:
                self._exchange(peer)
            if self.drive.healing and len(self.online()) == len(self.peers):
                self._heal()
            time.sleep(_ROUND)

    def _drives_there(self) -> int:
        return 1 + len(self.online())

    def _look(self) -> None:
        list(self._pool.map(Peer.ask, self.peers))

    def _begin(self) -> None:
        """Become ready, as soon as the others agree and enough formatted drives are there."""
        mine = self.arguments.configuration()
        there = [peer for peer in self.peers if peer.state is not None]
        wrong = [p for p in there if p.state is not None and p.state["configuration"] != mine]
        if wrong:
            differing = ", ".join(peer.node for peer in wrong)
            self._say(
                f"Following servers have mismatching configuration {differing}: "
                "expected the same drives in the same order, and the same MINIO_* environment"
            )
        agreeing = [peer for peer in there if peer not in wrong]
        if not agreeing:
            self._say(
                "Waiting for at least 1 remote server with valid configuration to be online: "
                + "; ".join(
                    f"{peer.node}: {peer.problem}" for peer in self.peers if peer not in wrong
                )
            )
            return
        forms = {peer.place: (peer.state or {}).get("format") for peer in agreeing}
        forms[self.arguments.own] = self._own
        known = [form for form in forms.values() if form]
        if not known:
            self._first_format(forms)
        elif len(known) >= self.arguments.quorum:
            self._join(known)
        else:
            self._say(f"Waiting for a minimum of {self.arguments.quorum} formatted drives")

    def _first_format(self, forms: dict[int, Any]) -> None:
        """The first node formats all drives, when all of them are there and empty."""
        if len(forms) < len(self.arguments.drives) or self.arguments.own != 0:
            self._say("Waiting for the first server to format the drives")
            return
        names = [str(uuid.uuid4()) for _ in self.arguments.drives]
        form = {
            "version": "1",
            "format": "xl",
            "id": str(uuid.uuid4()),
            "xl": {
                "version": "3",
                "this": "",
                "sets": [names],
                "distributionAlgo": "SIPMOD+PARITY",
            },
        }
        print(f"Formatting 1st pool, 1 set(s), {len(names)} drives per set.", file=sys.stderr)
        for peer in self.peers:
            try:
                peer.call("adopt", json.dumps(form).encode())
            except AwayError as error:
                print(f"{peer.node} did not take its format: {error}", file=sys.stderr)
        self.adopt(form)

    def adopt(self, form: dict[str, Any]) -> None:
        """Take a place in the set that another node names."""
        own = {**form, "xl": {**form["xl"], "this": form["xl"]["sets"][0][self.arguments.own]}}
        self.drive.adopt(own)
        self._own = self.drive.format()

    def _join(self, known: list[dict[str, Any]]) -> None:
        """Belong to the set that most drives name; a drive of another one is refused."""
        counts = [sum(form["id"] == other["id"] for other in known) for form in known]
        reference = known[counts.index(max(counts))]
        if max(counts) < self.arguments.quorum:
            self._say("the drives belong to different deployments, and none has a majority")
            return
        if self._own is None:
            self.adopt(reference)
            self.drive.heals(True)
        assert self._own is not None
        place = reference["xl"]["sets"][0]
        if self._own["id"] != reference["id"]:
            raise DamagedError(
                f"{self.arguments.path} belongs to deployment {self._own['id']}, the others to {reference['id']}"
            )
        if (
            len(place) != len(self.arguments.drives)
            or place[self.arguments.own] != self._own["xl"]["this"]
        ):
            raise DamagedError(f"{self.arguments.path} is not the drive of this place in the set")
        self.ready.set()

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            print(sentence, file=sys.stderr)
        self._said = sentence

    # What was missed.

    def _exchange(self, peer: Peer) -> None:
        """Take what a node has and we have not, and tell it to do the same."""
        try:
            peer.call("pull", place=str(self.arguments.own))
            self.pull(peer)
        except AwayError:
            return

    def pull(self, peer: Peer) -> None:
        """Fetch every version that is newer there."""
        for meta in peer.index():
            have = self.drive.versions(meta["bucket"], meta["key"])
            same = next((m for m in have if m["version"] == meta["version"]), None)
            if same is None or same["changed"] < meta["changed"]:
                self.drive.store(meta, peer.data(meta))

    def later(self, act: Callable[[], None]) -> None:
        """Do something beside an answer; a node that goes away meanwhile is asked again when it is back."""

        def run() -> None:
            with contextlib.suppress(AwayError):
                act()

        threading.Thread(target=run, daemon=True).start()

    def _heal(self) -> None:
        try:
            for peer in self.peers:
                self.pull(peer)
        except AwayError:
            return
        self.drive.heals(False)
        print("Healing of the drive is complete", file=sys.stderr)

    # Reading and writing with a quorum.

    def write(self, meta: Meta, data: bytes = b"") -> None:
        """Return when enough drives have it on disk; QuorumError when not: it may be on some of them."""
        self.write_all([(meta, data)])

    def write_all(self, versions: list[tuple[Meta, bytes]]) -> None:
        """Do the same with several versions; a drive counts when it has all of them."""
        if not self.writable():
            raise QuorumError("write")

        def store(peer: Peer) -> bool:
            peer.store(versions)
            return True

        # The others first: what only this drive would have was never acknowledged, and must not be here.
        if 1 + sum(self._on_each(store)) < self.arguments.quorum:
            raise QuorumError("write")
        for meta, data in versions:
            self.drive.store(meta, data)

    def versions(self, bucket: str, key: str) -> list[Meta]:
        """Return all versions of an object, merged from a quorum."""
        answers = self._on_each(lambda peer: peer.versions(bucket, key))
        return self._merged([self.drive.versions(bucket, key), *answers])

    def index(self, bucket: str) -> list[Meta]:
        """Return all versions of all objects of a bucket, merged from a quorum."""
        answers = self._on_each(lambda peer: peer.index(bucket))
        return self._merged([self.drive.index(bucket), *answers])

    def buckets(self) -> list[Meta]:
        """Return every bucket, merged from a quorum."""
        answers = self._on_each(lambda peer: peer.index())
        everything = self._merged([self.drive.index(), *answers])
        return [meta for meta in everything if not meta["key"]]

    def data(self, meta: Meta) -> bytes:
        """Return a version's content from any drive that has it, and keep it here too."""
        if any(meta == own for own in self.drive.versions(meta["bucket"], meta["key"])):
            return self.drive.data(meta)
        for peer in self.online():
            try:
                found = peer.data(meta)
            except AwayError:
                continue
            self.drive.store(meta, found)
            return found
        raise QuorumError("read")

    def _merged(self, answers: list[list[Meta]]) -> list[Meta]:
        if not self.ready.is_set() or len(answers) < self.arguments.quorum:
            raise QuorumError("read")
        newest: dict[tuple[str, str, str], Meta] = {}
        for meta in (meta for answer in answers for meta in answer):
            place = (meta["bucket"], meta["key"], meta["version"])
            if place not in newest or newest[place]["changed"] < meta["changed"]:
                newest[place] = meta
        return [meta for meta in newest.values() if not meta["purged"]]

    def _on_each(self, act: Callable[[Peer], Value]) -> list[Value]:
        """Return the answers of the nodes that are there."""

        def one(peer: Peer) -> list[Value]:
            try:
                return [act(peer)]
            except AwayError:
                return []

        return _flat(self._pool.map(one, self.online()))


def _flat(lists: Iterable[list[Value]]) -> list[Value]:
    return [value for values in lists for value in values]
