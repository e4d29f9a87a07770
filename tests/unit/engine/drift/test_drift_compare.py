"""New, still there, gone, unseen: a comparison of ids, and of who was looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.record import report_document
from keybuzz.model.reports.drift import DriftItem, DriftReport, Standing, compare
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.text.report import report_text

A, B = "drift/redis-01/file:/a", "stray/redis-01/container:b"
HOSTS = ("redis-01", "redis-02", "redis-010")
worlds = st.lists(
    st.tuples(st.sets(st.sampled_from(HOSTS)), st.sets(st.sampled_from(HOSTS))), max_size=8
)


def item(identity: str, what: str = "") -> DriftItem:
    return DriftItem(identity, identity.split("/")[1], what)


def stands(items: tuple[DriftItem, ...]) -> dict[str, tuple[str, int]]:
    return {i.identity: (i.standing.value, i.since) for i in items}


def test_what_comes_stays_and_goes() -> None:
    looked = ("drift/redis-01/", "stray/redis-01/container:")
    first = compare([item(A)], (), looked, 1)
    assert stands(first) == {A: ("new", 1)}
    second = compare([item(A, "mode"), item(B)], first, looked, 2)
    assert stands(second) == {A: ("still", 1), B: ("new", 2)}
    assert second[0].what == "mode"
    third = compare([item(B)], second, looked, 3)
    assert stands(third) == {A: ("gone", 1), B: ("still", 2)}
    assert stands(compare([item(B)], third, looked, 4)) == {B: ("still", 2)}
    back = compare([item(A), item(B)], third, looked, 4)
    assert stands(back) == {A: ("new", 4), B: ("still", 2)}


def test_where_nobody_looked_nothing_is_gone_and_later_nothing_is_new() -> None:
    first = compare([item(A), item(B)], (), ("drift/redis-01/", "stray/redis-01/container:"), 1)
    second = compare([], first, ("drift/redis-01/",), 2)
    assert stands(second) == {A: ("gone", 1), B: ("unseen", 1)}
    third = compare([item(B)], second, ("stray/redis-01/container:",), 3)
    assert stands(third) == {B: ("still", 1)}


def test_a_host_whose_name_begins_with_another_ones_is_another_host() -> None:
    first = compare([item("silent/redis-010"), item("drift/redis-010/file:/a")], (), (), 1)
    second = compare([], first, ("silent/redis-01", "drift/redis-01/"), 2)
    assert {i.standing for i in second} == {Standing.UNSEEN}


@given(worlds)
def test_each_thing_is_new_once_and_gone_once(world: list[tuple[set[str], set[str]]]) -> None:
    """Whatever is there and whoever is looked at: between new and gone, a thing is still there or unseen."""
    before: tuple[DriftItem, ...] = ()
    known: set[str] = set()
    for number, (there, answering) in enumerate(world, 1):
        found = [item(f"drift/{host}/x:y") for host in there & answering]
        before = compare(found, before, [f"drift/{host}/" for host in answering], number)
        for each in before:
            assert (each.standing is Standing.NEW) == (each.identity not in known)
            if each.standing is Standing.GONE:
                assert each.host in answering - there
                known.remove(each.identity)
            else:
                known.add(each.identity)
            if each.standing is Standing.UNSEEN:
                assert each.host not in answering
        assert {each.identity for each in before if each.standing is not Standing.GONE} == known


def report(*items: DriftItem, outcome: Outcome = Outcome.OK) -> Report:
    hosts = {"redis-01": HostReport("redis-01", outcome)}
    drift = DriftReport(items, 6)
    return Report("drift", ("base",), hosts, Plan({}), (), (), 1.0, number=7, drift=drift)


def standing(identity: str, word: Standing) -> DriftItem:
    return DriftItem(identity, identity.split("/")[1], "why", word, 3)


def test_exit_codes() -> None:
    assert report().exit_code == ExitCode.GOOD
    assert report(standing(B, Standing.STILL)).exit_code == ExitCode.DIFFERENT
    assert report(standing(B, Standing.GONE)).exit_code == ExitCode.GOOD
    assert report(standing(B, Standing.ACCEPTED)).exit_code == ExitCode.GOOD
    lost = report(standing(B, Standing.STILL), outcome=Outcome.UNKNOWN)
    assert lost.exit_code == ExitCode.UNREACHABLE


def test_both_outputs_say_how_each_stands() -> None:
    other = standing("drift/redis-02/file:/x", Standing.UNSEEN)
    made = report(standing(A, Standing.GONE), standing(B, Standing.STILL), other)
    text = report_text(made)
    assert "drift against run 6\n" in text
    assert f"  still  {B}: why  (since run 3)\n" in text
    assert f"  gone   {A}: why  (since run 3)\n" in text
    assert "redis-02" not in text  # nobody asked about it
    assert "0 differences; 1 stray; 0 new, 1 still, 1 gone; 1.0 s; exit 2" in text
    document = report_document(made)["drift"]
    assert document["compared_with"] == 6
    assert document["items"][1] == {
        "id": B,
        "host": "redis-01",
        "standing": "still",
        "since_run": 3,
        "what": "why",
    }
