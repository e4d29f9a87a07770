"""The parameters that kbz itself reads, whichever modules there are."""

from __future__ import annotations

from keybuzz.site.parameters.forms import SENTENCE, Count, Maybe, Number, Text, Words
from keybuzz.site.parameters.parameter import Parameter

REGISTRY = Parameter(
    "versions.registry",
    Text(r"none|https?://[^\s/]+", "the URL of a registry, or none"),
    "The registry that `kbz versions verify` asks; none: through the builder's Docker Engine.",
    "none",
)
NO_DIGESTS = Parameter(
    "versions.no_digests",
    SENTENCE,
    "Why the registry's digests are not those of the frozen images; none: they are compared.",
    "none",
)
KEEP_DAYS = Parameter(
    "history.keep_days",
    Maybe(Count(1, 36_500, "days")),
    "How long the journal keeps runs that no later drift or resume needs; none: for ever.",
    "none",
)
HOOK_SECONDS = Parameter(
    "hooks.seconds",
    Number(0.1, 86_400, "seconds"),
    "How long one hook may take before it is ended.",
    "60",
)
IN_ALL = Parameter(
    "modules.in_all",
    Words(r"[a-z0-9-]+", "names of modules on request, separated by spaces, or none"),
    "Modules on request that are part of `all` on this site; each of them can be named without it.",
    "none",
)
OWN = (REGISTRY, NO_DIGESTS, KEEP_DAYS, HOOK_SECONDS, IN_ALL)
