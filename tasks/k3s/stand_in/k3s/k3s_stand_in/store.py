"""What stands in for etcd: terms, votes, a leader, and no write without a majority.

The whole state is small, so that it is copied as a whole: whoever leads sends it with its term and revision, and a
write is acknowledged when a majority has it on disk.
"""

from __future__ import annotations

import copy
import json
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from k3s_stand_in import STATE
from k3s_stand_in.config import FatalError, say
from k3s_stand_in.web import Client, UnreachableError

Result = TypeVar("Result")

FOLDER = f"{STATE}/server/db/etcd/member"
BEAT = 0.4
LEASE = 3.0
"""Seconds without a majority after which a leader is none."""
ELECTION = (3.0, 5.0)
WRITE = 4.0


class NoQuorumError(Exception):
    """etcd's own words."""


class Store:
    def __init__(self, name: str, connect: Callable[[str], Client]) -> None:
        self.name = name
        self._connect = connect
        self._clients: dict[str, Client] = {}
        self.lock = threading.RLock()
        self._writing = threading.Lock()
        self._acknowledged = threading.Condition(self.lock)
        # A condition of its own: two senders that wake each other by their acknowledgements would never rest.
        self._changed = threading.Condition(self.lock)
        self.term = 0
        self.voted = ""
        self.mark = (0, 0)
        """Term in which the state was written, and its revision."""
        self.data: dict[str, Any] = {"members": {}}
        self.leader = ""
        self.role = "follower"
        self._heard = time.monotonic()
        self._patience = random.uniform(*ELECTION)
        self._acks: dict[str, tuple[float, tuple[int, int]]] = {}
        self.removed = False

    @staticmethod
    def initialised() -> bool:
        return os.path.exists(f"{FOLDER}/state.json")

    def load(self) -> None:
        with open(f"{FOLDER}/state.json", encoding="utf-8") as file:
            found = json.load(file)
        self.term, self.voted, self.data = found["term"], found["voted"], found["data"]
        self.mark = (found["mark"][0], found["mark"][1])

    def _save(self) -> None:
        os.makedirs(FOLDER, 0o700, exist_ok=True)
        temporary = f"{FOLDER}/state.new"
        document = {"term": self.term, "voted": self.voted, "mark": self.mark, "data": self.data}
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, f"{FOLDER}/state.json")

    def found(self, data: dict[str, Any], address: str) -> None:
        """Begin a new cluster of one."""
        with self.lock:
            self.data = {**data, "members": {self.name: {"address": address, "voter": True}}}
            self.mark = (1, 1)
            self._save()

    def start(self) -> None:
        for work in (self._elections, self._beats):
            threading.Thread(target=work, daemon=True).start()

    # Who is there.

    def _voters(self) -> list[str]:
        return [name for name, item in self.data["members"].items() if item["voter"]]

    def _peer(self, name: str) -> Client:
        address = self.data["members"][name]["address"]
        if address not in self._clients:
            self._clients[address] = self._connect(address)
        return self._clients[address]

    def _others(self) -> list[str]:
        return [name for name in self.data["members"] if name != self.name]

    def has_quorum(self) -> bool:
        with self.lock:
            if self.role == "leader":
                return self._lease()
            return bool(self.leader) and time.monotonic() - self._heard < LEASE

    def _lease(self) -> bool:
        now, voters = time.monotonic(), self._voters()
        near = [n for n in voters if n == self.name or now - self._acks.get(n, (-9, 0))[0] < LEASE]
        return 2 * len(near) > len(voters)

    # Elections.

    def _elections(self) -> None:
        while not self.removed:
            time.sleep(0.2)
            with self.lock:
                if self.role == "leader":
                    if not self._lease() and time.monotonic() - self._heard > LEASE:
                        say("warning", "etcdserver: no leader: the majority does not answer")
                        self._follow("")
                    continue
                waited = time.monotonic() - self._heard
                if self.name not in self._voters() or waited < self._patience:
                    continue
                self.term += 1
                self.voted, self.leader = self.name, ""
                self._heard, self._patience = time.monotonic(), random.uniform(*ELECTION)
                self._save()
                ballot = {"term": self.term, "name": self.name, "mark": self.mark}
                voters = self._voters()
            self._campaign(ballot, voters)

    def _campaign(self, ballot: dict[str, Any], voters: list[str]) -> None:
        votes = [1]

        def ask(name: str) -> None:
            try:
                code, answer = self._peer(name).send("POST", "/peer/vote", ballot)
            except (UnreachableError, KeyError):
                return
            if code == 200 and answer.get("removed"):
                self.removed = True
            if code == 200 and answer["granted"]:
                votes.append(1)

        asked = [threading.Thread(target=ask, args=(n,)) for n in voters if n != self.name]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join(2.0)
        with self.lock:
            if self.term == ballot["term"] and 2 * len(votes) > len(voters):
                self.role, self.leader = "leader", self.name
                self._heard = time.monotonic()
                self._acks = {name: (time.monotonic(), (0, 0)) for name in self._others()}
                self.mark = (self.term, self.mark[1] + 1)
                self._save()
                say("info", f"{self.name} became leader at term {self.term}")

    def _follow(self, leader: str) -> None:
        self.role, self.leader, self._heard = "follower", leader, time.monotonic()

    def vote(self, ballot: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if ballot["name"] not in self.data["members"]:
                return {"granted": False, "removed": self.has_quorum()}
            if self.leader not in ("", ballot["name"]) and self.has_quorum():
                # A member that was away must not unseat a leader that all others follow.
                return {"granted": False}
            if ballot["term"] > self.term:
                self.term, self.voted = ballot["term"], ""
                self._follow("")
            newer = tuple(ballot["mark"]) >= self.mark
            granted = ballot["term"] == self.term and newer and self.voted in ("", ballot["name"])
            if granted:
                self.voted = ballot["name"]
                self._heard = time.monotonic()
            self._save()
            return {"granted": granted}

    # Copies.

    def _beats(self) -> None:
        running: set[str] = set()

        def one(name: str) -> None:
            try:
                while self.role == "leader" and not self.removed and name in self.data["members"]:
                    self._append(name)
                    with self.lock:
                        behind = self._acks.get(name, (0.0, (0, 0)))[1] != self.mark
                        self._changed.wait(0.05 if behind else BEAT)
            finally:
                running.discard(name)

        while not self.removed:
            if self.role == "leader":
                for name in self._others():
                    if name not in running:
                        running.add(name)
                        threading.Thread(target=one, args=(name,), daemon=True).start()
            time.sleep(0.1)

    def _append(self, name: str) -> None:
        with self.lock:
            mark, behind = self.mark, self._acks.get(name, (0.0, (0, 0)))[1] != self.mark
            message: dict[str, Any] = {"term": self.term, "leader": self.name, "mark": mark}
            if behind:
                message["data"] = copy.deepcopy(self.data)
            try:
                peer = self._peer(name)
            except KeyError:
                return
        try:
            code, answer = peer.send("POST", "/peer/append", message)
        except UnreachableError:
            time.sleep(0.3)
            return
        with self.lock:
            if code != 200:
                return
            if answer["term"] > self.term:
                self.term = answer["term"]
                self._save()
                self._follow("")
                return
            self._acks[name] = (time.monotonic(), (answer["mark"][0], answer["mark"][1]))
            self._acknowledged.notify_all()

    def append(self, message: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if message["term"] < self.term:
                return {"term": self.term, "mark": self.mark}
            if message["term"] > self.term or "data" in message:
                self.term = message["term"]
                self.mark = (
                    (message["mark"][0], message["mark"][1]) if "data" in message else self.mark
                )
                self.data = message.get("data", self.data)
                self._save()
            self._follow(message["leader"])
            return {"term": self.term, "mark": self.mark}

    def write(self, change: Callable[[dict[str, Any]], Result]) -> Result:
        """Change the state and return when a majority has it; what a majority never got may still come."""
        with self._writing:
            with self.lock:
                if self.role != "leader" or not self._lease():
                    raise NoQuorumError("etcdserver: no leader")
                draft = copy.deepcopy(self.data)
                result = change(draft)
                self.data, self.mark = draft, (self.term, self.mark[1] + 1)
                self._save()
                mine = self.mark
                self._changed.notify_all()
            deadline = time.monotonic() + WRITE
            with self.lock:
                while not self._committed(mine):
                    left = deadline - time.monotonic()
                    if left <= 0 or self.role != "leader":
                        raise NoQuorumError("etcdserver: request timed out")
                    self._acknowledged.wait(min(left, 0.1))
            return result

    def _committed(self, mark: tuple[int, int]) -> bool:
        voters = self._voters()
        have = [n for n in voters if n == self.name or self._acks.get(n, (0, (0, 0)))[1] >= mark]
        return 2 * len(have) > len(voters)

    # Members.

    def add_learner(self, name: str, address: str) -> None:
        """As etcd: one learner at a time, and K3s: one name once."""
        known = self.data["members"].get(name)
        if known == {"address": address, "voter": False}:
            return  # it was cut off while it joined
        if known is not None:
            raise FatalError("duplicate node name found, please use a unique name for this node")
        if any(not item["voter"] for item in self.data["members"].values()):
            raise FatalError("etcdserver: too many learner members in cluster")

        def change(data: dict[str, Any]) -> None:
            data["members"][name] = {"address": address, "voter": False}

        self.write(change)

    def promote(self) -> None:
        """Make a voter of the learner that has everything."""
        for name, item in list(self.data["members"].items()):
            ack = self._acks.get(name)
            if not item["voter"] and ack and ack[1] >= (self.term, 1):

                def change(data: dict[str, Any], name: str = name) -> None:
                    data["members"][name]["voter"] = True

                self.write(change)
