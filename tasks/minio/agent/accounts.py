"""MinIO: users of applications, each with a policy for its own buckets.

A user is written by importing an archive of MinIO's own form (`mc admin cluster iam import`): the other call for it
wants a body that is encrypted by what Python does not have. It goes to the node of this host, at its own address.
"""

from __future__ import annotations

import json
import re

from keybuzz.agent.runtime.errors import AgentError
from tasks.minio.agent.look import admin, archive, let_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_ON_BUCKETS = (
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
)
_ON_OBJECTS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
"""Everything with its data, and nothing that opens a bucket to others (MIN-4): no policy of a bucket."""
_SENDABLE = re.compile(r"[A-Za-z0-9._~-]+")
"""What the signature sends without quoting."""


def read_minio_user(query: Query, context: Context) -> State:
    """Return whether the user gets in with its password, and whether its policy is for its buckets and no more."""
    access, name = query["access"], query["name"]
    found = admin(access, "GET", "user-info", {"accessKey": name})
    if found is None:
        return {"present": False, "attributes": {}}
    policies = [word for word in str(found.get("policyName") or "").split(",") if word]
    document = admin(access, "GET", "info-canned-policy", {"name": query["policy"]})
    attributes = {
        "enabled": found.get("status") == "enabled",
        "logs_in": let_in(access, name, query["password"]),
        "policies": sorted(policies),
        "buckets": query["buckets"] if _same(document, _policy(query["buckets"])) else [],
    }
    return {"present": True, "attributes": attributes}


def write_minio_user(order: Query, context: Context) -> None:
    """Write the policy, the user and what ties them; who is at work goes on with the next signature."""
    name, policy = order["name"], order["policy"]
    admin(
        order["access"],
        "PUT",
        "import-iam",
        body=archive(
            {
                "policies": {policy: _policy(order["buckets"])},
                "users": {name: {"secretKey": order["password"], "status": "enabled"}},
                "user_mappings": {name: {"version": 0, "policy": policy}},
            }
        ),
    )
    if not let_in(order["access"], name, order["password"]):
        raise AgentError(
            f"user {name} was written, and still is not let in", "docker logs --tail 20 minio"
        )


def read_minio_no_user(query: Query, context: Context) -> State:
    """Return whether the user is there."""
    found = admin(query["access"], "GET", "user-info", {"accessKey": _sendable(query["name"])})
    return {"present": True, "attributes": {"there": found is not None}}


def write_minio_no_user(order: Query, context: Context) -> None:
    """Remove the user, with the keys that it has made; its policy stays."""
    admin(order["access"], "DELETE", "remove-user", {"accessKey": _sendable(order["name"])})


def _sendable(name: str) -> str:
    if not _SENDABLE.fullmatch(name):
        raise AgentError(
            f"user {name} has a sign in its name that kbz does not send",
            "mc admin user remove minio",
        )
    return name


def _policy(buckets: list[str]) -> dict[str, Any]:
    places = [f"arn:aws:s3:::{bucket}" for bucket in buckets]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(_ON_BUCKETS), "Resource": places},
            {
                "Effect": "Allow",
                "Action": list(_ON_OBJECTS),
                "Resource": [f"{place}/*" for place in places],
            },
        ],
    }


def _same(one: Any, other: Any) -> bool:
    """Return whether two policies say the same: MinIO keeps lists in an order of its own."""
    return one is not None and _sorted(one) == _sorted(other)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(inner) for inner in value), key=json.dumps)
    return value
