"""What is not changed stays as it is written: spaces, line ends, quotes, lists of several indentations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.parameters import with_parameters
from keybuzz.site.files.round_trip import edited

FILE = """\
# The site.
paths:   {state: /x,   credentials: /y}
"quoted"   :    'once'
lists:
- a
-   b
deeper:
    -   c   # why
    - d
text: >
  folded
  here
parameters:
  a.b:    1   # aligned
  longer.name:  2

  c.d: 3
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["\n", ""])
def test_only_the_changed_line_is_another(end: str, last: str) -> None:
    before = (FILE.rstrip("\n") + last).replace("\n", end)
    after = with_parameters(before.encode(), "site.yaml", {"longer.name": "7"}).decode()
    lines, was = after.split("\n"), before.split("\n")
    (number,) = [n for n, line in enumerate(was) if "longer.name" in line]
    assert lines[number].rstrip("\r") == "  longer.name: 7"
    assert lines[number].endswith("\r") == (end == "\r\n")
    assert lines[:number] == was[:number]
    assert lines[number + 1 :] == was[number + 1 :]


def test_a_new_line_has_the_line_end_of_the_file_and_changes_no_other() -> None:
    before = FILE.replace("\n", "\r\n").encode()
    after = with_parameters(before, "site.yaml", {"n.n": "yes"})
    assert after == before + b"  n.n: yes\r\n"


def test_a_change_of_nothing_changes_nothing_whatever_the_form() -> None:
    for text in (FILE, "---\n# x\na:   [1,   2]\n", "a: one\n   two\nb:  3\n", "a:  1"):
        assert edited(text.encode(), "f", lambda tree: None) == text.encode()


def test_values_on_several_lines_stay_and_what_cannot_be_told_apart_is_refused() -> None:
    text = "x:   one\n   two\n     three\nparameters:\n  a.b:   1\n  c.d:  one\n    two\n"
    after = with_parameters(text.encode(), "site.yaml", {"a.b": "2"})
    assert after == text.replace("a.b:   1", "a.b: 2").encode()
    mixed = b"parameters:\n  a.b:  'one\n    two'\n  c.d: 'x\n    y'\n"
    with pytest.raises(InputError, match="lines outside the change would be written otherwise"):
        edited(mixed, "site.yaml", lambda tree: tree["parameters"].update({"c.d": 1}))


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(["", "  # why", " "])), min_size=1, max_size=6
    ),
    st.data(),
)
def test_of_any_form_one_line_changes_or_none(
    forms: list[tuple[int, str]], data: st.DataObject
) -> None:
    lines = ["parameters:"]
    lines += [f"  n.n{n}:{' ' * spaces}{n}{eol}" for n, (spaces, eol) in enumerate(forms)]
    changed = data.draw(st.integers(0, len(forms) - 1))
    before = "\n".join([*lines, ""]).encode()
    try:
        after = with_parameters(before, "site.yaml", {f"n.n{changed}": "77"}).decode().split("\n")
    except InputError:
        return
    assert [line for line in after if ": 77" not in line] == [
        *lines[: changed + 1],
        *lines[changed + 2 :],
        "",
    ]
