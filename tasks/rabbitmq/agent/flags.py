"""What may keep a node of RabbitMQ from its next series: feature flags, and policies that mirror queues."""

from __future__ import annotations

from tasks.rabbitmq.agent.inside import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_MOST = 100
"""Names that are told."""


def answer_rabbitmq_flags(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return {"off": stable flags that are not enabled, "tried": experimental ones that are, "mirrored": policies}."""
    del context
    access = query["access"]
    flags = listed(access, "/api/feature-flags")
    policies = [*listed(access, "/api/policies"), *listed(access, "/api/operator-policies")]
    return {
        "off": _names(f for f in flags if not _tried(f) and f.get("state") == "disabled"),
        "tried": _names(f for f in flags if _tried(f) and f.get("state") == "enabled"),
        "mirrored": _names(p for p in policies if _mirrors(p.get("definition"))),
    }


def _tried(flag: dict[str, Any]) -> bool:
    return flag.get("stability") == "experimental"


def _mirrors(definition: object) -> bool:
    return isinstance(definition, dict) and any(str(key).startswith("ha-") for key in definition)


def _names(found: Any) -> list[str]:
    return sorted(str(item.get("name")) for item in found)[:_MOST]
