"""Live values in site.yaml: only their lines change, whatever comments are around them, and nothing is overwritten."""

from __future__ import annotations

from difflib import ndiff
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.cli.look.edits import difference, put_unchanged
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.site.files.parameters import with_parameters
from keybuzz.site.settings import read_sections

SITE = Path("inventory/site.yaml")
SETTLED = sorted(item.parameter for module in all_modules() for item in module.settled)


def changed(before: bytes, after: bytes) -> list[str]:
    lines = ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [line for line in lines if line[:1] in "+-"]


@pytest.mark.parametrize("name", SETTLED)
def test_in_the_sites_own_file_only_one_line_changes(name: str, tmp_path: Path) -> None:
    before = SITE.read_bytes()
    after = with_parameters(before, str(SITE), {name: "12345"})
    lines = changed(before, after)
    assert [line[2:] for line in lines if line.startswith("+")] == [f"  {name}: 12345"]
    assert len(lines) <= 2
    (tmp_path / "site.yaml").write_bytes(after)
    assert read_sections(tmp_path / "site.yaml").values["parameters"][name] == "12345"


def test_a_parameter_that_the_file_lacks_comes_last_before_the_comment_of_what_follows() -> None:
    before = (
        b"parameters:\n  a.b: 1\n  # of c\n  c.d: yes  # the owner\n\n# Single servers\nhosts: {}\n"
    )
    after = with_parameters(before, "site.yaml", {"e.f": "1500mb"})
    assert after == before.replace(b"# the owner\n", b"# the owner\n  e.f: 1500mb\n")


@pytest.mark.parametrize(
    "text", ["yes", "none", "1h", "1500mb", "0", "007", "1.5", "a: b", "#x", "1:30"]
)
def test_every_form_of_a_value_is_read_back_as_it_is(text: str) -> None:
    after = with_parameters(b"parameters:\n  a.b: 1  # why\n", "site.yaml", {"a.b": text})
    assert b"# why" in after


@given(
    st.lists(
        st.sampled_from(["", "  # a remark", "# another", "  x.y: 3", "  z.w: no  # as found"]),
        max_size=6,
        unique=True,
    )
)
def test_no_comment_is_lost(between: list[str]) -> None:
    text = "\n".join(
        ["# top", "parameters:", "  a.b: 1", *between, "  c.d: 2  # end", "# last", ""]
    )
    after = with_parameters(text.encode(), "site.yaml", {"a.b": "9", "n.n": "7"}).decode()
    left = [line for line in after.splitlines() if line != "  n.n: 7"]
    assert left == text.replace("a.b: 1", "a.b: 9").splitlines()


@pytest.mark.parametrize(
    "text",
    [
        b"parameters: {a.b: 1}\n",
        b"parameters:\n  a.b: &x 1\n  c.d: *x\n",
        b"parameters: [a.b]\n",
        b"parameters: ~\n",
        b"# only a remark\n",
        b"- a.b\n",
    ],
)
def test_what_cannot_be_written_as_meant_is_refused_or_right(text: bytes) -> None:
    try:
        after = with_parameters(text, "site.yaml", {"a.b": "2"})
    except InputError:
        return
    assert after == text.replace(b"a.b: 1", b"a.b: 2")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"# top\npaths:\n  state: /x  # why\n", b"{}parameters:\n  a.b: 2\n"),
        (b"---\n# top\npaths: {}\n", b"{}parameters:\n  a.b: 2\n"),
        (b"parameters:  # none yet\n", b"{}  a.b: 2\n"),
    ],
)
def test_a_file_without_the_section_gets_it(before: bytes, after: bytes, tmp_path: Path) -> None:
    """The overlay, or the defaults, may have said everything until now."""
    path = tmp_path / "site.yaml"
    path.write_bytes(with_parameters(before, "site.yaml", {"a.b": "2"}))
    assert path.read_bytes() == after.replace(b"{}", before)
    assert read_sections(path).values["parameters"] == {"a.b": "2"}


def test_a_file_that_has_changed_since_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    before, after = b"parameters:\n  a.b: 1\n", b"parameters:\n  a.b: 2\n"
    path.write_bytes(before)
    path.chmod(0o640)
    put_unchanged(path, before, after)
    assert path.read_bytes() == after
    assert path.stat().st_mode & 0o777 == 0o640
    assert "-  a.b: 1\n+  a.b: 2\n" in difference(before, after, path)
    with pytest.raises(RefusedError, match="has changed since it was looked at"):
        put_unchanged(path, before, b"parameters:\n  a.b: 3\n")
    assert path.read_bytes() == after


def test_every_settled_value_is_a_parameter_of_its_module() -> None:
    for module in all_modules():
        assert {item.parameter for item in module.settled} <= {p.name for p in module.parameters}
