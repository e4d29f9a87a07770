"""One Hypothesis profile for all rings: moderate, without deadlines, and without files in the repository."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kbz",
    max_examples=50,
    deadline=None,
    database=None,
    print_blob=True,
    # The machine is shared: a slow moment is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kbz")
