"""The part of S3 that the lab uses: buckets, versioning, objects of one piece, listings; and MinIO's admin/v3/info."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from minio_server.cluster import Cluster
from minio_server.drive import Meta
from minio_server.iam import ADMIN, Iam, action_of
from minio_server.info import info

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_MOST = 1000
_PAST_A_FREEZE = "x-amz-meta-minio-object-perf"  # of MinIO's own measurement


class S3Error(Exception):
    """An answer that is an error, with S3's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class Request:
    """One request whose signature was checked."""

    method: str
    path: str
    """Still quoted."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def bucket(self) -> str:
        """First part of the path."""
        return unquote(self.path.lstrip("/").partition("/")[0])

    @property
    def key(self) -> str:
        """The rest of the path."""
        return unquote(self.path.lstrip("/").partition("/")[2])


@dataclass
class Response:
    """Status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Return the parsed request."""
    path, _, query = target.partition("?")
    return Request(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body)


def error_body(code: str, message: str, resource: str) -> bytes:
    """Return S3's XML for an error."""
    return _xml(
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"<Resource>{escape(resource)}</Resource><RequestId>0</RequestId><HostId>0</HostId></Error>"
    )


class S3:
    """The operations, over the cluster."""

    def __init__(
        self, cluster: Cluster, users: Iam, allows: Callable[[str, str], bool] | None
    ) -> None:
        self._cluster = cluster
        self._users = users
        self._allows = allows
        """What the policies of a user say to an action on a resource; None for the root user, who may everything."""

    def answer(self, request: Request) -> Response:
        """Do what is asked; S3Error and QuorumError otherwise."""
        self._require_allowed(request)
        if request.path == "/minio/admin/v3/info":
            return Response(body=json.dumps(info(self._cluster)).encode())
        if request.path == f"{ADMIN}service":
            self._cluster.freeze(frozen=request.query.get("action") == "freeze")
            return Response()
        if not request.path.startswith("/minio/") and _PAST_A_FREEZE not in request.headers:
            self._cluster.thawed.wait(60)
        if request.path.startswith(ADMIN):
            what = request.path.removeprefix(ADMIN)
            return Response(
                body=self._users.answer(request.method, what, dict(request.query), request.body)
            )
        if request.path.startswith("/minio/"):
            raise S3Error(404, "XMinioAdminNoSuchOperation", "this stand-in has only admin/v3")
        if not request.bucket:
            return self._buckets()
        kind = "object" if request.key else "bucket"
        found: Callable[[Request], Response] | None
        found = getattr(self, f"_{request.method.lower()}_{kind}", None)
        if found is None or {"uploads", "uploadId"} & set(request.query):
            raise S3Error(501, "NotImplemented", f"{request.method} is not in this stand-in")
        return found(request)

    def _require_allowed(self, request: Request) -> None:
        """Refuse what no policy of the user allows; whoever lists all buckets sees the own ones."""
        if self._allows is None or (request.path == "/" and request.method == "GET"):
            return
        place = f"{request.bucket}/{request.key}" if request.key else request.bucket
        if request.path.startswith("/minio/") or not self._allows(
            action_of(request.method, request.key, request.query), place
        ):
            raise S3Error(403, "AccessDenied", "Access Denied.")

    def _seen(self) -> list[Meta]:
        """Return the buckets that the user may list; S3Error where there is none."""
        found = self._cluster.buckets()
        if self._allows is None:
            return found
        own = [meta for meta in found if self._allows("s3:ListBucket", str(meta["bucket"]))]
        if not own:
            raise S3Error(403, "AccessDenied", "Access Denied.")
        return own

    # Buckets.

    def _buckets(self) -> Response:
        entries = "".join(
            f"<Bucket><Name>{meta['bucket']}</Name><CreationDate>{_iso(meta['created'])}</CreationDate></Bucket>"
            for meta in sorted(self._seen(), key=lambda meta: str(meta["bucket"]))
        )
        owner = "<Owner><ID>kbz</ID><DisplayName>stand-in</DisplayName></Owner>"
        return Response(
            body=_xml(
                f"<ListAllMyBucketsResult {_SPACE}>{owner}<Buckets>{entries}</Buckets></ListAllMyBucketsResult>"
            )
        )

    def _bucket(self, name: str) -> Meta:
        """Return a bucket; what this node knows of it is what all know, as soon as it is ready."""
        own = [meta for meta in self._cluster.drive.versions(name, "") if not meta["purged"]]
        found = own or self._cluster.versions(name, "")
        if not found:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        return found[0]

    def _head_bucket(self, request: Request) -> Response:
        self._bucket(request.bucket)
        return Response()

    def _put_bucket(self, request: Request) -> Response:
        if "versioning" in request.query:
            return self._set_versioning(request)
        if not _BUCKET.fullmatch(request.bucket):
            raise S3Error(400, "InvalidBucketName", "The specified bucket is not valid.")
        if self._cluster.versions(request.bucket, ""):
            message = (
                "Your previous request to create the named bucket succeeded and you already own it."
            )
            raise S3Error(409, "BucketAlreadyOwnedByYou", message)
        now = time.time_ns()
        meta = _meta(request.bucket, "", "null", now) | {"versioning": "", "created": now}
        self._cluster.write(meta)
        return Response(headers={"Location": f"/{request.bucket}"})

    def _set_versioning(self, request: Request) -> Response:
        bucket = self._bucket(request.bucket)
        status = _text(request.body, "Status")
        if status not in ("Enabled", "Suspended"):
            raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed.")
        self._cluster.write(bucket | {"versioning": status, "changed": time.time_ns()})
        return Response()

    def _delete_bucket(self, request: Request) -> Response:
        bucket = self._bucket(request.bucket)
        if self._cluster.index(request.bucket):
            raise S3Error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
        self._cluster.write(bucket | {"purged": True, "changed": time.time_ns()})
        return Response(204)

    def _post_bucket(self, request: Request) -> Response:
        if "delete" not in request.query:
            raise S3Error(501, "NotImplemented", "POST is not in this stand-in")
        bucket = self._bucket(request.bucket)
        by_key: dict[str, list[Meta]] = {}
        for meta in self._cluster.index(request.bucket):
            by_key.setdefault(meta["key"], []).append(meta)
        gone = []
        changes: list[Meta] = []
        for item in _root(request.body).iter():
            if item.tag.rpartition("}")[2] == "Object":
                words = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
                found = by_key.get(words["Key"], [])
                changes += _deleted(bucket, found, words.get("VersionId", ""))
                gone.append(f"<Deleted><Key>{escape(words['Key'])}</Key></Deleted>")
        self._cluster.write_all([(meta, b"") for meta in changes])
        return Response(body=_xml(f"<DeleteResult {_SPACE}>{''.join(gone)}</DeleteResult>"))

    def _get_bucket(self, request: Request) -> Response:
        bucket = self._bucket(request.bucket)
        if "location" in request.query:
            return Response(body=_xml(f"<LocationConstraint {_SPACE}></LocationConstraint>"))
        if "versioning" in request.query:
            status = f"<Status>{bucket['versioning']}</Status>" if bucket["versioning"] else ""
            body = f"<VersioningConfiguration {_SPACE}>{status}</VersioningConfiguration>"
            return Response(body=_xml(body))
        return self._list(request, versions="versions" in request.query)

    def _list(self, request: Request, *, versions: bool) -> Response:
        ask = request.query
        name, prefix = request.bucket, ask.get("prefix", "")
        after = ask.get("continuation-token") or ask.get("start-after") or ask.get("key-marker", "")
        most = min(int(ask.get("max-keys", _MOST)), _MOST)
        by_key: dict[str, list[Meta]] = {}
        for meta in self._cluster.index(name):
            if meta["key"].startswith(prefix) and meta["key"] > after:
                by_key.setdefault(meta["key"], []).append(meta)
        shown, folders, last = [], [], ""
        keys = sorted(by_key)
        for key in keys:
            if len(shown) + len(folders) >= most:
                break
            last = key
            found = sorted(by_key[key], key=lambda meta: -int(meta["created"]))
            folder = _folder(key, prefix, ask.get("delimiter", ""))
            if folder:
                folders += [folder] if folder not in folders else []
            elif versions:
                shown += [_entry(meta, meta is found[0], versions=True) for meta in found]
            elif not found[0]["marker"]:
                shown.append(_entry(found[0], True, versions=False))
        cut = bool(last) and last != keys[-1]
        tag = "ListVersionsResult" if versions else "ListBucketResult"
        next_one = ""
        if cut:
            word = "NextKeyMarker" if versions else "NextContinuationToken"
            next_one = f"<{word}>{escape(last)}</{word}>"
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders
        )
        return Response(
            body=_xml(
                f"<{tag} {_SPACE}><Name>{name}</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"
                f"<KeyCount>{len(shown)}</KeyCount><IsTruncated>{str(cut).lower()}</IsTruncated>{next_one}"
                f"{''.join(shown)}{common}</{tag}>"
            )
        )

    # Objects.

    def _put_object(self, request: Request) -> Response:
        bucket = self._bucket(request.bucket)
        if (
            "aws-chunked" in request.headers.get("content-encoding", "")
            or "tagging" in request.query
        ):
            raise S3Error(501, "NotImplemented", "only whole bodies are in this stand-in")
        now = time.time_ns()
        version = str(uuid.uuid4()) if bucket["versioning"] == "Enabled" else "null"
        own = {k: v for k, v in request.headers.items() if k.startswith("x-amz-meta-")}
        meta = _meta(request.bucket, request.key, version, now) | {
            "etag": hashlib.md5(request.body, usedforsecurity=False).hexdigest(),
            "size": len(request.body),
            "type": request.headers.get("content-type", "application/octet-stream"),
            "own": own,
        }
        self._cluster.write(meta, request.body)
        return Response(headers={"ETag": f'"{meta["etag"]}"', **_version(meta)})

    def _find(self, request: Request) -> Meta:
        self._bucket(request.bucket)
        found = self._cluster.versions(request.bucket, request.key)
        wanted = request.query.get("versionId", "")
        chosen = [meta for meta in found if not wanted or meta["version"] == wanted]
        if not chosen:
            code = "NoSuchVersion" if wanted and found else "NoSuchKey"
            raise S3Error(404, code, "The specified key does not exist.")
        newest = max(chosen, key=lambda meta: int(meta["created"]))
        if newest["marker"]:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        return newest

    def _head_object(self, request: Request) -> Response:
        meta = self._find(request)
        return Response(headers=_shown(meta) | {"Content-Length": str(meta["size"])})

    def _get_object(self, request: Request) -> Response:
        meta = self._find(request)
        body = self._cluster.data(meta)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if match is None:
            return Response(200, body, _shown(meta))
        first, last = int(match[1]), int(match[2] or meta["size"])
        part = body[first : last + 1]
        where = f"bytes {first}-{first + len(part) - 1}/{meta['size']}"
        return Response(206, part, _shown(meta) | {"Content-Range": where})

    def _delete_object(self, request: Request) -> Response:
        bucket = self._bucket(request.bucket)
        found = self._cluster.versions(request.bucket, request.key)
        changes = _deleted(bucket, found, request.query.get("versionId", ""))
        self._cluster.write_all([(meta, b"") for meta in changes])
        return Response(204)


def _deleted(bucket: Meta, found: list[Meta], version: str) -> list[Meta]:
    """Return what removes a version for good; without one, what lays a marker over a versioned object."""
    now = time.time_ns()
    if not version and bucket["versioning"] == "Enabled":
        marker = {"marker": True}
        return [
            _meta(bucket["bucket"], m["key"], str(uuid.uuid4()), now) | marker for m in found[:1]
        ]
    chosen = [meta for meta in found if meta["version"] == (version or "null")]
    return [meta | {"purged": True, "changed": now, "size": 0} for meta in chosen]


def _meta(bucket: str, key: str, version: str, now: int) -> Meta:
    return {
        "bucket": bucket,
        "key": key,
        "version": version,
        "created": now,
        "changed": now,
        "purged": False,
        "marker": False,
        "size": 0,
        "etag": "",
        "type": "",
        "own": {},
    }


def _entry(meta: Meta, latest: bool, *, versions: bool) -> str:
    tag = "DeleteMarker" if meta["marker"] else "Version" if versions else "Contents"
    more = ""
    if versions:
        more = f"<VersionId>{meta['version']}</VersionId><IsLatest>{str(latest).lower()}</IsLatest>"
    if not meta["marker"]:
        more += f"<ETag>&quot;{meta['etag']}&quot;</ETag><Size>{meta['size']}</Size>"
        more += "<StorageClass>STANDARD</StorageClass>"
    modified = f"<LastModified>{_iso(meta['created'])}</LastModified>"
    owner = "<Owner><ID>kbz</ID><DisplayName>stand-in</DisplayName></Owner>"
    return f"<{tag}><Key>{escape(meta['key'])}</Key>{modified}{more}{owner}</{tag}>"


def _folder(key: str, prefix: str, delimiter: str) -> str:
    rest = key[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return ""
    return prefix + rest[: rest.index(delimiter) + len(delimiter)]


def _shown(meta: Meta) -> dict[str, str]:
    modified = formatdate(int(meta["created"]) / 1e9, usegmt=True)
    own = {str(name): str(value) for name, value in meta["own"].items()}
    head = {"ETag": f'"{meta["etag"]}"', "Last-Modified": modified, "Content-Type": meta["type"]}
    return head | own | _version(meta)


def _version(meta: Meta) -> dict[str, str]:
    return {"x-amz-version-id": meta["version"]} if meta["version"] != "null" else {}


def _iso(nanoseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(int(nanoseconds) / 1e9, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _root(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)
    except ET.ParseError as error:
        raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed.") from error


def _text(body: bytes, name: str) -> str:
    for element in _root(body).iter():
        if element.tag.rpartition("}")[2] == name:
            return element.text or ""
    return ""


def _xml(text: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()
