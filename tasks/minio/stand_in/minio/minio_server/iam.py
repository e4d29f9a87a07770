"""Users and policies: what of MinIO's admin interface kbz uses for them, and what a policy lets a user do."""

from __future__ import annotations

import fnmatch
import io
import json
import re
import time
import zipfile
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from minio_server.cluster import Cluster
from minio_server.drive import Meta

ADMIN = "/minio/admin/v3/"
_PLACE = ("minio-iam", "iam.json")
"""No bucket of S3 has this name: it was never made."""
_ASSETS = "iam-assets"
_ACCESS_KEY, _SECRET_KEY = 3, 8
"""Shortest ones."""
_ARN = re.compile(r"arn:aws:s3:::[^\s]+")


class AdminError(Exception):
    """An answer of the admin interface that is an error, which is JSON there."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Iam:
    """Users, policies, and which user has which, kept like an object on all drives."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @cached_property
    def _stored(self) -> dict[str, Any]:
        """What the drives hold, read when a user who is not root is asked about."""
        empty: dict[str, Any] = {"users": {}, "policies": {}, "mappings": {}}
        found = self._cluster.versions(*_PLACE)
        return json.loads(self._cluster.data(found[0])) if found else empty

    @property
    def users(self) -> dict[str, dict[str, str]]:
        """Secret key and status of each user, by its access key."""
        return self._stored["users"]

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        """Documents by name."""
        return self._stored["policies"]

    @property
    def mappings(self) -> dict[str, str]:
        """Names of the policies that a user has, by commas."""
        return self._stored["mappings"]

    def secret(self, user: str) -> str | None:
        """Return the secret key of an enabled user."""
        found = self.users.get(user, {})
        return found.get("secretKey") if found.get("status") == "enabled" else None

    def allows(self, user: str, action: str, resource: str) -> bool:
        """Return whether one of the user's policies says Allow, and none Deny."""
        found = [
            statement["Effect"]
            for name in self.mappings.get(user, "").split(",")
            for statement in self.policies.get(name, {}).get("Statement", ())
            if any(fnmatch.fnmatchcase(action, each) for each in statement["Action"])
            and any(
                fnmatch.fnmatchcase(f"arn:aws:s3:::{resource}", each)
                for each in statement["Resource"]
            )
        ]
        return "Allow" in found and "Deny" not in found

    # The admin interface.

    def answer(self, method: str, what: str, query: dict[str, str], body: bytes) -> bytes:
        """Do what the root user asks; AdminError otherwise."""
        match method, what:
            case "GET", "user-info":
                return self._user(query.get("accessKey", ""))
            case "GET", "info-canned-policy":
                return self._policy(query.get("name", ""))
            case "GET", "export-iam":
                return self._export()
            case "PUT", "import-iam":
                return self._import(body)
            case "DELETE", "remove-user":
                return self._remove(query.get("accessKey", ""))
        raise AdminError(404, "XMinioAdminNoSuchOperation", f"{what} is not in this stand-in")

    def _user(self, name: str) -> bytes:
        self._require(name)
        found = {"status": self.users[name]["status"], "policyName": self.mappings.get(name, "")}
        return json.dumps({key: value for key, value in found.items() if value}).encode()

    def _require(self, name: str) -> None:
        if name not in self.users:
            raise AdminError(404, "XMinioAdminNoSuchUser", "The specified user does not exist.")

    def _policy(self, name: str) -> bytes:
        if name not in self.policies:
            message = "The canned policy does not exist."
            raise AdminError(404, "XMinioAdminNoSuchPolicy", message)
        # In an order of its own, as sets of Go are.
        found = json.loads(json.dumps(self.policies[name]))
        for statement in found["Statement"]:
            statement["Action"].sort(reverse=True)
        return json.dumps(found).encode()

    def _export(self) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            maps = {name: {"version": 1, "policy": of} for name, of in self.mappings.items()}
            for name, content in (
                ("policies", self.policies),
                ("users", self.users),
                ("user_mappings", maps),
            ):
                archive.writestr(f"{_ASSETS}/{name}.json", json.dumps(content))
        return made.getvalue()

    def _import(self, body: bytes) -> bytes:
        try:
            archive = zipfile.ZipFile(io.BytesIO(body))
        except zipfile.BadZipFile as error:
            raise AdminError(400, "InvalidRequest", str(error)) from error
        policies, users, maps = (
            _file(archive, name) for name in ("policies", "users", "user_mappings")
        )
        for name, policy in policies.items():
            _require_policy(policy)
            self.policies[name] = policy
        for name, user in users.items():
            self._require_user(name, user)
            self.users[name] = {"secretKey": user["secretKey"], "status": user["status"]}
        for name, mapping in maps.items():
            self._require(name)
            for policy in mapping["policy"].split(","):
                self._policy(policy)
            self.mappings[name] = mapping["policy"]
        self._keep()
        return b""

    def _require_user(self, name: str, user: dict[str, str]) -> None:
        if name == self._cluster.arguments.user:
            message = "Cannot add a user with the root's name."
            raise AdminError(400, "XMinioInvalidIAMCredentials", message)
        if len(name) < _ACCESS_KEY or name != name.strip():
            raise AdminError(400, "XMinioAdminInvalidAccessKey", "The access key is invalid.")
        if len(user["secretKey"]) < _SECRET_KEY:
            raise AdminError(400, "XMinioAdminInvalidSecretKey", "The secret key is invalid.")
        if user["status"] not in ("enabled", "disabled"):
            raise AdminError(400, "XMinioAdminConfigBadJSON", "The status is not known.")

    def _remove(self, name: str) -> bytes:
        self._require(name)
        del self.users[name]
        self.mappings.pop(name, None)
        self._keep()
        return b""

    def _keep(self) -> None:
        now = time.time_ns()
        content = json.dumps(self._stored).encode()
        meta: Meta = {
            "bucket": _PLACE[0],
            "key": _PLACE[1],
            "version": "null",
            "created": now,
            "changed": now,
            "purged": False,
            "marker": False,
            "size": len(content),
            "etag": "",
            "type": "",
            "own": {},
        }
        self._cluster.write(meta, content)


def action_of(method: str, key: str, query: Mapping[str, str]) -> str:
    """Return what policies call a request for an object, or for a bucket where the key is empty."""
    versions = "Version" if "versionId" in query else ""
    if key:
        verb = {"PUT": "Put", "DELETE": "Delete"}.get(method, "Get")
        return f"s3:{verb}Object{versions if verb != 'Put' else ''}"
    if "versioning" in query:
        return f"s3:{'Put' if method == 'PUT' else 'Get'}BucketVersioning"
    if "location" in query:
        return "s3:GetBucketLocation"
    named = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "POST": "DeleteObject"}
    other = "ListBucketVersions" if "versions" in query else "ListBucket"
    return f"s3:{named.get(method, other)}"


def _file(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(archive.read(f"{_ASSETS}/{name}.json"))
    except KeyError:
        return {}
    except ValueError as error:
        raise AdminError(400, "XMinioAdminConfigBadJSON", str(error)) from error
    return found


def _require_policy(policy: dict[str, Any]) -> None:
    for statement in policy["Statement"]:
        resources, actions = statement["Resource"], statement["Action"]
        if statement["Effect"] not in ("Allow", "Deny") or not actions or not resources:
            raise AdminError(400, "MalformedPolicy", "a statement has no effect or no action")
        if not all(_ARN.fullmatch(resource) for resource in resources):
            raise AdminError(400, "MalformedPolicy", "invalid resource")
