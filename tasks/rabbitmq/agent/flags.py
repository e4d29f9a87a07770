"""What may keep a node of RabbitMQ from its next series: feature flags, and policies that mirror queues."""

from __future__ import annotations

from tasks.rabbitmq.agent.inside import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.runtime.context import Context

_POLICIES = {"policy": "/api/policies", "operator policy": "/api/operator-policies"}
_MOST = 100
"""Names that are told."""


def answer_rabbitmq_flags(query: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return {"off": stable flags that are not enabled, "tried": experimental ones that are, "mirrored": policies}.

    Each policy has its kind and its vhost beside its name.
    """
    del context
    access = query["access"]
    flags = listed(access, "/api/feature-flags")
    mirrors = {
        word: [p for p in listed(access, path) if _mirrors(p.get("definition"))]
        for word, path in _POLICIES.items()
    }
    return {
        "off": _names(f for f in flags if not _tried(f) and f.get("state") == "disabled"),
        "tried": _names(f for f in flags if _tried(f) and f.get("state") == "enabled"),
        "mirrored": sorted(
            f"{word} {one.get('name')} in {one.get('vhost')}"
            for word in mirrors
            for one in mirrors[word]
        )[:_MOST],
    }


def _tried(flag: dict[str, Any]) -> bool:
    return flag.get("stability") == "experimental"


def _mirrors(definition: object) -> bool:
    return isinstance(definition, dict) and any(str(key).startswith("ha-") for key in definition)


def _names(found: Any) -> list[str]:
    return sorted(str(item.get("name")) for item in found)[:_MOST]
