"""versions.yaml: a tag that floats, or that nobody can explain, never gets into a plan (VER-1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.site.versions import parse_versions, with_digests
from tests.unit.support.inventory_files import INVENTORY


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_versions(text.encode(), "versions.yaml")
    return str(caught.value)


def one(frozen: str, **more: str) -> str:
    lines = [f"    {key}: {value}\n" for key, value in more.items()]
    return f"images:\n  thing:\n    frozen: {frozen}\n" + "".join(lines)


def test_the_real_file_uses_the_frozen_tags_and_explains_each_that_it_does_not() -> None:
    found = parse_versions((INVENTORY / "versions.yaml").read_bytes(), "versions.yaml")
    assert found["redis"].reference == "redis:7.2.5-alpine"
    assert found["rabbitmq"].reference == "rabbitmq:3.12.14-management"
    assert found["haproxy"].reference == "haproxy:2.8.5"
    assert found["proxysql"].reference == "proxysql/proxysql:2.6.4"
    for version in found.values():
        assert version.reference == version.frozen or version.reason


@pytest.mark.parametrize(
    "tag",
    [
        *("latest", "16", "alpine", "stable", "7-alpine", "v2", "main"),
        *("7.2-alpine", "2.8", "v1.33", "3.12-management", "16.4-bookworm", "7-alpine3.20.1"),
    ],
)
def test_a_tag_that_moves_is_refused(tag: str) -> None:
    message = refusal(one(f"redis:{tag}"))
    assert message.startswith("versions.yaml:2: ")
    assert f"redis:{tag}" in message
    assert "VER-1" in message


@pytest.mark.parametrize(
    "reference", ["redis", "library/redis", "Redis:7.2.5", "redis:", ":7.2.5", "redis:7.2.5 x"]
)
def test_what_is_no_reference_with_a_tag_is_refused(reference: str) -> None:
    assert "versions.yaml:2: " in refusal(one(f'"{reference}"'))


def test_an_override_needs_a_reason() -> None:
    message = refusal(one("redis:7.2.5-alpine", reference="redis:7.2.6-alpine"))
    assert "versions.yaml:2: thing overrides its frozen value without a reason" in message
    found = parse_versions(
        one("redis:7.2.5", reference="redis:7.2.6", reason="CVE").encode(), "versions.yaml"
    )
    assert found["thing"].reference == "redis:7.2.6"
    assert found["thing"].frozen == "redis:7.2.5"


def test_an_override_is_judged_as_strictly_as_a_frozen_tag() -> None:
    assert "floats" in refusal(one("redis:7.2.5", reference="redis:latest", reason="because"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("- a\n", 1),
        ("images: {}\nmore: 1\n", 2),
        ("images:\n  thing:\n    tag: 1.2.3\n", 3),
        ("images:\n  thing: redis:7.2.5\n", 2),
        ("images:\n  a: &x {frozen: 'redis:7.2.5'}\n  b: *x\n", 3),
        ("images:\n  a: {frozen: 'redis:7.2.5'}\n  a: {frozen: 'redis:7.2.6'}\n", 3),
        ("images: [\n", 2),
    ],
)
def test_another_shape_is_named_with_its_line(text: str, line: int) -> None:
    assert f"versions.yaml:{line}: " in refusal(text)


@given(st.text())
def test_any_other_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputError, match=r"versions\.yaml"):
        parse_versions(text.encode(), "versions.yaml")


@given(
    st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True),
    st.from_regex(r"v?[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z]{1,8})?", fullmatch=True),
)
def test_an_exact_tag_is_taken(name: str, tag: str) -> None:
    found = parse_versions(one(f'"{name}:{tag}"').encode(), "versions.yaml")
    assert found["thing"].reference == f"{name}:{tag}"


@given(st.lists(st.sampled_from(["", "  # a remark", "    # another"]), max_size=3))
def test_digests_go_into_their_own_entries_and_nothing_else_changes(between: list[str]) -> None:
    filler = "".join(f"{line}\n" for line in between)
    text = f"# top\nimages:\n  one:\n    frozen: redis:7.2.5\n{filler}  two:\n    frozen: haproxy:2.8.5"
    digests = {"one": f"sha256:{'1' * 64}", "two": f"sha256:{'2' * 64}"}
    locked = with_digests(text.encode(), digests)
    found = parse_versions(locked, "versions.yaml")
    assert {name: version.digest for name, version in found.items()} == digests
    left = [line for line in locked.decode().splitlines() if "digest:" not in line]
    assert left == text.splitlines()
    assert with_digests(locked, digests) == locked


def test_an_entry_in_one_line_takes_its_digest_and_keeps_its_remark() -> None:
    text = "images:\n  one: {frozen: 'redis:7.2.5'}  # as the owner wrote it\n  two:\n    frozen: haproxy:2.8.5\n"
    locked = with_digests(text.encode(), {"one": f"sha256:{'1' * 64}"})
    assert parse_versions(locked, "versions.yaml")["one"].digest == f"sha256:{'1' * 64}"
    assert b"# as the owner wrote it" in locked
    assert b"  two:\n    frozen: haproxy:2.8.5\n" in locked


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:0", f"sha256:{'G' * 64}", "latest"])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    assert "has a digest that is none" in refusal(one("redis:7.2.5", digest=f'"{digest}"'))


@pytest.mark.parametrize("tag", ["16.4-bookworm", "16.4", "16.4-3.3.0"])
def test_two_numbers_are_whole_where_upstream_counts_so(tag: str) -> None:
    found = parse_versions(one(f"postgres:{tag}", version_parts="2").encode(), "versions.yaml")
    assert found["thing"].reference == f"postgres:{tag}"
    assert "partial tag" in refusal(one("postgres:16-bookworm", version_parts="2"))


def test_a_count_that_is_none_is_refused() -> None:
    assert "version_parts of thing is 1" in refusal(one("redis:7.2.5", version_parts="1"))


@pytest.mark.parametrize("word", ["gone", "archived", "frozen"])
def test_what_became_of_upstream_is_read(word: str) -> None:
    text = f"{word} since 2026-09-12 (minio/minio#1, read on 2026-11-02)"
    found = parse_versions(one("redis:7.2.5", upstream=f'"{text}"').encode(), "versions.yaml")
    assert found["thing"].upstream == text


@pytest.mark.parametrize(
    "text", ["gone", "gone since 2026-09-12", "dead since 2026-09-12 (x)", "gone since May (x)"]
)
def test_what_became_of_upstream_needs_a_date_and_a_source(text: str) -> None:
    message = refusal(one("redis:7.2.5", upstream=f'"{text}"'))
    assert message.startswith("versions.yaml:2: thing has an upstream that cannot be read")
    assert "since when, and the source" in message
