"""What HAProxy answers on its runtime socket, read."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.services.haproxy import addresses_up, information, servers_up

STAT = """\
# pxname,svname,qcur,status,addr,
redis,FRONTEND,,OPEN,,
redis-master,master,0,UP,10.0.0.124:6379,
redis-master,BACKEND,0,UP,,
other,one,0,UP,10.0.0.1:1,
other,two,0,UP 1/2,10.0.0.2:1,
other,three,0,DOWN 1/2,10.0.0.3:1,
other,four,0,MAINT,10.0.0.4:1,
other,five,0,no check,10.0.0.5:1,
other,BACKEND,0,UP,,
"""
NAMES = st.text("abcxyz-_.0123456789", min_size=1, max_size=8)


def test_servers_that_get_sessions_are_those_that_are_up_in_that_backend() -> None:
    assert servers_up(STAT, "redis-master") == ("master",)
    assert addresses_up(STAT, "redis-master") == ("10.0.0.124:6379",)
    assert servers_up(STAT, "other") == ("one", "two")
    assert addresses_up(STAT, "other") == ("10.0.0.1:1", "10.0.0.2:1")


def test_frontends_and_sums_are_no_servers() -> None:
    assert servers_up(STAT, "redis") == ()
    assert servers_up(STAT, "nobody") == ()


def test_an_haproxy_that_does_not_say_addresses_is_not_believed() -> None:
    assert addresses_up("# pxname,svname,status\nb,s,UP\n", "b") == ("?",)


@given(st.dictionaries(NAMES, st.sampled_from(["UP", "DOWN", "MAINT", "UP 1/3"]), max_size=5))
def test_every_row_counts_once(states: dict[str, str]) -> None:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["# pxname", "svname", "status", "addr"])
    for name, state in states.items():
        rows.writerow(["b", name, state, f"{name}:1"])
    wanted = tuple(name for name, state in states.items() if state.startswith("UP"))
    assert servers_up(out.getvalue(), "b") == wanted
    assert addresses_up(out.getvalue(), "b") == tuple(f"{name}:1" for name in wanted)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert isinstance(servers_up(text, "b"), tuple)
    assert isinstance(information(text), dict)


def test_information_keeps_what_follows_the_first_colon() -> None:
    found = information("Name: HAProxy\ndescription: kbz-1: two\n\nUptime: 0d 0h00m03s\n")
    assert found == {"name": "HAProxy", "description": "kbz-1: two", "uptime": "0d 0h00m03s"}
