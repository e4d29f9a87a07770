"""`kbz versions check` says beforehand what a bare node could not be given."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.images.supply import supply_warnings
from keybuzz.engine.images.versions import built_names
from keybuzz.site.site import Site
from tests.unit.support.site_values import memory_site, with_parameters

MODULES = all_modules()


def said(site: Site, name: str) -> list[str]:
    reference = site.versions[name].reference
    return [warning for warning in supply_warnings(site, MODULES) if f": {reference}" in warning]


def test_every_image_that_hosts_pull_needs_a_digest_in_production() -> None:
    site = with_parameters(memory_site(), {"versions.no_digests": "none"})
    built = built_names(site, MODULES)
    for name, version in site.versions.items():
        wanted = [f"kbz versions lock {name}"] if name not in built else []
        assert [w.rpartition("→ ")[2] for w in said(site, name) if "no digest" in w] == wanted
        assert all(w.startswith(f"versions.yaml:{version.line}: ") for w in said(site, name))


def test_a_digest_ends_the_warning_and_so_does_a_site_that_compares_none() -> None:
    production = with_parameters(memory_site(), {"versions.no_digests": "none"})
    redis = replace(production.versions["redis"], digest=f"sha256:{'1' * 64}")
    locked = replace(production, versions={**production.versions, "redis": redis})
    assert said(production, "redis")
    assert said(locked, "redis") == []
    lab = with_parameters(memory_site(), {"versions.no_digests": "the lab's images differ"})
    assert said(lab, "redis") == []


def test_an_image_whose_upstream_is_gone_is_told_with_its_source_and_the_way_out() -> None:
    site = with_parameters(memory_site(), {"versions.no_digests": "the lab's images differ"})
    (warning,) = said(site, "minio")
    assert "upstream is gone since 2026-09-12 (" in warning
    assert warning.endswith("kbz versions mirror --from HOST minio")
    assert {name for name in site.versions if said(site, name)} == {
        "minio",
        "mariadb-galera",
        "ingress-nginx",
        "ingress-nginx-certgen",
    }


def test_a_program_without_a_sha256_is_told_where_digests_count() -> None:
    production = with_parameters(memory_site(), {"versions.no_digests": "none"})
    assert production.binaries
    for name, binary in production.binaries.items():
        bare = replace(production, binaries={name: replace(binary, digest="")})
        told = [w for w in supply_warnings(bare, MODULES) if "has no sha256" in w]
        assert len(told) == 1
        assert told[0].startswith(f"versions.yaml:{binary.line}: {name} {binary.version} ")
        locked = replace(production, binaries={name: replace(binary, digest=f"sha256:{'1' * 64}")})
        assert not [w for w in supply_warnings(locked, MODULES) if "has no sha256" in w]
        lab = with_parameters(bare, {"versions.no_digests": "the lab's programs differ"})
        assert not [w for w in supply_warnings(lab, MODULES) if "has no sha256" in w]
