"""Parameters of site.yaml: each is declared by who reads it, and a name or a value that is wrong has its line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules, declared, settled
from keybuzz.model.core.errors import InputError
from keybuzz.site.parameters.check import by_name, checked
from keybuzz.site.parameters.forms import Choice, Count, Form, Maybe, Number, YesNo
from keybuzz.site.parameters.own import KEEP_DAYS, OWN
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.settings import load_settings, read_sections
from tests.unit.support.inventory_files import INVENTORY
from tests.unit.support.site_values import memory_site, with_parameters

ROOT = INVENTORY.parent
SITE = INVENTORY / "site.yaml"


def refusal(folder: Path, change: str, by: str, overlay: str = "") -> str:
    """Return what is said of the real site.yaml with one place changed."""
    text = SITE.read_text(encoding="utf-8")
    assert text.count(change) == 1
    (folder / "site.yaml").write_text(text.replace(change, by), encoding="utf-8")
    over = folder / "lab.yaml" if overlay else None
    if over:
        over.write_text(overlay, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        checked(load_settings(folder, folder / "site.yaml", over), declared())
    return str(caught.value)


def line_of(name: str) -> int:
    lines = SITE.read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.strip().startswith(f"{name}:"))


def test_a_misspelt_name_is_an_error_with_its_line_and_the_near_name(tmp_path: Path) -> None:
    said = refusal(tmp_path, "patroni.max_connections:", "patroni.max_conections:")
    line = line_of("patroni.max_connections")
    assert f"site.yaml:{line}: no part of kbz reads a parameter patroni.max_conections" in said
    assert "did you mean patroni.max_connections" in said
    assert "parameter patroni.max_connections is not set" in said


def test_a_wrong_value_in_the_overlay_is_named_there(tmp_path: Path) -> None:
    overlay = "parameters:\n  redis.maxmemory: 64mb\n  health.disk_warn: 175\n"
    said = refusal(tmp_path, "  base.network:", "  base.network:", overlay)
    assert f"{tmp_path}/lab.yaml:3: health.disk_warn is '175', and must be a number" in said


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    overlay = "parameters:\n  a.b: 1\n  galera.max_connections: many\n  k3s.api_names: 'a b!'\n"
    said = refusal(tmp_path, "  base.network:", "  base.network:", overlay)
    assert [line.rpartition("/")[2].split(":")[1] for line in said.splitlines()] == ["2", "3", "4"]


@pytest.mark.parametrize("overlay", [None, INVENTORY / "lab.yaml"])
def test_the_files_of_the_repository_are_right_and_each_declaration_is_used(
    overlay: Path | None,
) -> None:
    found = checked(load_settings(ROOT, SITE, overlay), declared())
    assert set(found.parameters) == set(declared())


def test_what_site_yaml_leaves_out_has_the_declared_default() -> None:
    site = memory_site()
    fewer = {k: v for k, v in site.settings.parameters.items() if k != "k3s.node_grace_seconds"}
    short = replace(site, settings=replace(site.settings, parameters=fewer))
    assert settled(short).settings.parameters["k3s.node_grace_seconds"] == "40"


def test_each_area_belongs_to_the_modules_that_declare_it() -> None:
    sections = read_sections(SITE).values["parameters"]
    of_modules = {p.name for module in all_modules() for p in module.parameters}
    assert set(sections) - of_modules == {p.name for p in OWN}


def test_two_readers_of_one_name_must_declare_the_same() -> None:
    one = Parameter("a.b", Count(), "Something.")
    assert by_name((one, Parameter("a.b", Count(), "Something."))) == {"a.b": one}
    with pytest.raises(InputError, match=r"a\.b is declared in two ways"):
        by_name((one, Parameter("a.b", Count(2), "Something.")))


def test_every_declaration_says_what_the_value_decides() -> None:
    for parameter in declared().values():
        assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", parameter.name)
        assert parameter.meaning.endswith(".")
        assert parameter.default is None or not parameter.problem(parameter.default)


def test_a_reader_refuses_what_the_check_would_have_refused() -> None:
    site = with_parameters(memory_site(), {"history.keep_days": "-1"})
    with pytest.raises(InputError, match=r"history\.keep_days is '-1'"):
        KEEP_DAYS.of(site)


@given(
    st.sampled_from([Count(2, 50), Number(0.5, 90), YesNo(), Maybe(Count(1, 9)), Choice(("a",))]),
    st.text(max_size=12),
)
def test_any_text_is_a_value_or_a_sentence(form: Form[object], text: str) -> None:
    parameter = Parameter("a.b", form, "Something.")
    said = parameter.problem(text)
    assert said == "" or ("must be " in said and "\n" not in said)
    if isinstance(form, Count) and not said:
        assert 2 <= int(text) <= 50


def test_a_value_of_single_servers_is_checked_as_any_other(tmp_path: Path) -> None:
    overlay = (
        "hosts:\n  db-*:\n    base.nothing: 1\n    base.public_ports: smtp\n    lab.traits: none\n"
    )
    said = refusal(tmp_path, "  base.network:", "  base.network:", overlay).splitlines()
    assert len(said) == 3
    assert "lab.yaml:3: no part of kbz reads a parameter base.nothing" in said[0]
    assert "lab.yaml:4: base.public_ports is 'smtp', and must be ports" in said[1]
    # Outside of a lab nothing has traits.
    assert "lab.yaml:5: no part of kbz reads a parameter lab.traits" in said[2]
