"""Hypothesis strategies for the kinds of resource that are this module's own."""

from __future__ import annotations

from hypothesis import strategies as st

from keybuzz.model.core.secret import Secret
from tasks.minio_client.alias import MinioAlias
from tests.unit.support.site_values import identifiers, lawless_secrets

VALUES = {
    "minio-alias": st.builds(
        MinioAlias,
        identifiers.map(lambda name: f"/{name}"),
        identifiers,
        st.just("http://127.0.0.1:9000"),
        identifiers,
        st.builds(Secret, identifiers, lawless_secrets),
        st.lists(identifiers, max_size=2).map(tuple),
    ),
}
