"""Every bucket of MinIO with all versions of its objects: taken, read again, and put into empty buckets.

It runs on backup-01. The first line of its input is `user:password` where it asks MinIO. A folder holds `index.jsonl`,
a line for each version, the oldest of each object first, and the contents below `data`, by their SHA-256. Exit codes as
the repository's.

By hand: `python3 objects.py put FOLDER ADDRESS PORT`, with the login on its standard input.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

DAMAGED = 65
INDEX, DATA = "index.jsonl", "data"
_COUNTS = "kbz.counts.json"
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_EMPTY = hashlib.sha256(b"").hexdigest()
_PIECE = 1 << 20
_KEPT = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
)
_VERSIONING = (
    '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Status>{}</Status></VersioningConfiguration>"
)
_ENABLED, _SUSPENDED = "Enabled", "Suspended"
_OWN_BUCKETS = ("kbz-drill",)
"""Buckets that a drill makes and takes away again."""


class DamageError(Exception):
    """The files do not hold what was taken."""


class WorkError(Exception):
    """It cannot be done; the text says why."""


class Minio:
    """Signed requests to one node, one after the other."""

    def __init__(self, login: str, address: str, port: str) -> None:
        """Take where it is, and who asks."""
        self._user, _, self._password = login.partition(":")
        self._place = f"{address}:{port}"
        self._link = http.client.HTTPConnection(address, int(port), timeout=120)

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Path | bytes = b"",
        digest: str = _EMPTY,
        headers: Mapping[str, str] | None = None,
        also: int = 200,
    ) -> http.client.HTTPResponse:
        """Return the answer, whose body is not read yet; WorkError for one that is bad, but for `also`."""
        words = "&".join(f"{k}={quote(v, safe='')}" for k, v in sorted((query or {}).items()))
        signed = self._signed(method, path, words, digest, headers or {})
        target = f"{path}?{words}" if words else path
        if isinstance(body, Path):
            with body.open("rb") as stream:
                signed["Content-Length"] = str(body.stat().st_size)
                self._link.request(method, target, body=stream, headers=signed)
        else:
            self._link.request(method, target, body=body, headers=signed)
        answer = self._link.getresponse()
        if answer.status not in (200, 204, also):
            said = answer.read(4096).decode(errors="replace")
            code = said.partition("<Code>")[2].partition("</Code>")[0] or answer.reason
            raise WorkError(f"{self._place} answers {method} {path[:200]}: {answer.status} {code}")
        return answer

    def tree(self, path: str, query: Mapping[str, str] | None = None) -> ElementTree.Element:
        """Return the document of an answer."""
        return ElementTree.fromstring(self.ask("GET", path, query).read())

    def _signed(
        self, method: str, path: str, words: str, digest: str, more: Mapping[str, str]
    ) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        own = {**more, "host": self._place, "x-amz-content-sha256": digest, "x-amz-date": stamp}
        headers = dict(sorted(own.items()))
        names = ";".join(headers)
        # MinIO signs a value with one space where there are several, and the bytes that came: headers go out so.
        lines = "\n".join(f"{name}:{' '.join(value.split())}" for name, value in headers.items())
        request = f"{method}\n{path}\n{words}\n{lines}\n\n{names}\n{digest}"
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        key = f"AWS4{self._password}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        asked = hashlib.sha256(request.encode("latin-1")).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{asked}"
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={self._user}/{scope}, SignedHeaders={names}"
        told = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, Signature={signature}"}
        return {name: value for name, value in headers.items() if name != "host"} | told

    def buckets(self) -> list[str]:
        """Return the names of all buckets but a drill's."""
        found = [name.text or "" for name in self.tree("/").iter(f"{_SPACE}Name")]
        return sorted(name for name in found if name not in _OWN_BUCKETS)

    def versioning(self, bucket: str) -> str:
        """Return whether a bucket keeps versions: Enabled, Suspended, or nothing where it never did."""
        return self.tree(f"/{bucket}", {"versioning": ""}).findtext(f"{_SPACE}Status", "")

    def set_versioning(self, bucket: str, status: str) -> None:
        """Have a bucket keep versions, or no more of them."""
        body = _VERSIONING.format(status).encode()
        digest = hashlib.sha256(body).hexdigest()
        self.ask("PUT", f"/{bucket}", {"versioning": ""}, body=body, digest=digest).read()

    def lists(self, entry: Mapping[str, Any]) -> bool:
        """Return whether a version is still in the list of its bucket."""
        own = (entry["key"], entry["version"])
        named = self.versions(entry["bucket"], entry["key"])
        return any((found["key"], found["version"]) == own for found in named)

    def versions(self, bucket: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        """Yield each version and each marker of a bucket, by key, the newest of each first."""
        wanted = {"versions": "", "encoding-type": "url", "prefix": prefix}
        after: dict[str, str] = {}
        while True:
            page = self.tree(f"/{bucket}", wanted | after)
            # A key may have characters that no XML has.
            plain = unquote_plus if page.findtext(f"{_SPACE}EncodingType") == "url" else str
            for item in page:
                kind = item.tag.removeprefix(_SPACE)
                if kind in ("Version", "DeleteMarker"):
                    yield {
                        "bucket": bucket,
                        "key": plain(item.findtext(f"{_SPACE}Key", "")),
                        "version": item.findtext(f"{_SPACE}VersionId", ""),
                        "modified": item.findtext(f"{_SPACE}LastModified", ""),
                        "marker": kind == "DeleteMarker",
                        "etag": item.findtext(f"{_SPACE}ETag", "").strip('"'),
                    }
            if page.findtext(f"{_SPACE}IsTruncated") != "true":
                return
            after = {"key-marker": plain(page.findtext(f"{_SPACE}NextKeyMarker", ""))}
            if marker := page.findtext(f"{_SPACE}NextVersionIdMarker", ""):
                after["version-id-marker"] = marker


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key, safe='/-_.~')}"


def take(minio: Minio, folder: Path) -> None:
    """Write every version of every bucket into a folder. One that is deleted meanwhile is left out."""
    (folder / DATA).mkdir()
    with (folder / INDEX).open("w", encoding="utf-8") as index:
        for bucket in minio.buckets():
            status = minio.versioning(bucket)
            head = {"bucket": bucket, "key": None, "versioning": status}
            index.write(json.dumps(head) + "\n")
            by_key: list[dict[str, Any]] = []
            for entry in minio.versions(bucket):
                if by_key and by_key[0]["key"] != entry["key"]:
                    _keep(minio, folder, by_key, index.write)
                    by_key = []
                by_key.append(entry)
            _keep(minio, folder, by_key, index.write)


def _keep(
    minio: Minio, folder: Path, versions: list[dict[str, Any]], write: Callable[[str], object]
) -> None:
    """Write the versions of one object, the oldest first."""
    for entry in reversed(versions):
        told = {} if entry["marker"] else _content(minio, folder, entry)
        if told is not None:
            write(json.dumps({**entry, **told}, sort_keys=True) + "\n")


def _content(minio: Minio, folder: Path, entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Keep a version's content, and return what to know of it; None where it is gone."""
    path = _path(entry["bucket"], entry["key"])
    answer = minio.ask("GET", path, {"versionId": entry["version"]}, also=404)
    if answer.status == http.client.NOT_FOUND:
        answer.read()
        # MinIO answers so as well for a version of which its drives do not hold enough: that one stays in the list.
        if minio.lists(entry):
            raise WorkError(f"{path[:200]} is listed, and cannot be read: 404")
        return None
    digest, size, new = hashlib.sha256(), 0, folder / "new"
    with new.open("wb") as stream:
        while piece := answer.read(_PIECE):
            digest.update(piece)
            size += stream.write(piece)
    if size != int(answer.headers.get("Content-Length", size)):
        raise WorkError(f"{path[:200]} came only in part")
    name = digest.hexdigest()
    kept = folder / DATA / name[:2] / name
    kept.parent.mkdir(exist_ok=True)
    new.replace(kept)
    headers = {
        name.lower(): value
        for name, value in answer.headers.items()
        if name.lower() in _KEPT or name.lower().startswith("x-amz-meta-")
    }
    return {"sha256": name, "size": size, "headers": headers}


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the index; DamageError where they are none."""
    try:
        lines = (folder / INDEX).read_text(encoding="utf-8").splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        for entry in found:
            if entry["key"] is not None and not entry["marker"]:
                str(entry["sha256"]), int(entry["size"]), dict(entry["headers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamageError(
            f"the list of its objects cannot be read: {type(error).__name__}"
        ) from error
    return found


def counted(folder: Path) -> dict[str, int]:
    """Return how much there is, after every content was read; DamageError where one is not what its name says."""
    counts = {"buckets": 0, "versions": 0, "markers": 0, "bytes": 0}
    read: dict[str, str] = {}
    for entry in entries(folder):
        if entry["key"] is None:
            counts["buckets"] += 1
        elif entry["marker"]:
            counts["markers"] += 1
        else:
            name = entry["sha256"]
            read[name] = read.get(name) or _read(folder, name, entry)
            if "-" not in entry["etag"] and read[name] != entry["etag"]:
                raise DamageError(f"{entry['key'][:200]} is not what MinIO had: its ETag differs")
            counts["versions"] += 1
            counts["bytes"] += entry["size"]
    return counts


def _read(folder: Path, name: str, entry: Mapping[str, Any]) -> str:
    """Return the MD5 of a content, which is MinIO's ETag of what was put in one piece."""
    found, tag = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with (folder / DATA / name[:2] / name).open("rb") as stream:
            while piece := stream.read(_PIECE):
                found.update(piece)
                tag.update(piece)
    except FileNotFoundError as error:
        raise DamageError(f"the content of {entry['key'][:200]} is missing") from error
    if found.hexdigest() != name:
        raise DamageError(f"the content of {entry['key'][:200]} is not what was put there")
    return tag.hexdigest()


def prove(folder: Path) -> None:
    """Count what is there; where it was counted before, it must be the same."""
    found, noted = counted(folder), folder / _COUNTS
    if not noted.exists():
        noted.write_text(json.dumps(found), encoding="utf-8")
    elif json.loads(noted.read_text(encoding="utf-8")) != found:
        raise DamageError(f"it holds {found}, and other counts are noted")


def put(minio: Minio, folder: Path) -> None:
    """Put everything into buckets that are not there, or empty; and compare what MinIO lists then."""
    found = entries(folder)
    there = set(minio.buckets())
    # Backups of before this was noted have it enabled.
    wanted = {
        entry["bucket"]: entry.get("versioning", _ENABLED)
        for entry in found
        if entry["key"] is None
    }
    for bucket in wanted:
        if bucket in there and next(minio.versions(bucket), None) is not None:
            raise WorkError(f"the bucket {bucket} is not empty; nothing was put. Empty it first")
    for bucket, status in wanted.items():
        if bucket not in there:
            minio.ask("PUT", f"/{bucket}").read()
        if status:
            minio.set_versioning(bucket, _ENABLED)
    for entry in found:
        if entry["key"] is not None:
            _put(minio, folder, entry)
    for bucket, status in wanted.items():
        if status == _SUSPENDED:
            minio.set_versioning(bucket, _SUSPENDED)
    _compare(minio, found, list(wanted))


def _put(minio: Minio, folder: Path, entry: Mapping[str, Any]) -> None:
    path = _path(entry["bucket"], entry["key"])
    if entry["marker"]:
        minio.ask("DELETE", path).read()
        return
    name = entry["sha256"]
    body = folder / DATA / name[:2] / name
    minio.ask("PUT", path, body=body, digest=name, headers=entry["headers"]).read()


def _compare(minio: Minio, found: list[dict[str, Any]], buckets: list[str]) -> None:
    """Raise WorkError where MinIO lists other versions than were put."""
    wanted: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for entry in found:
        if entry["key"] is not None:
            wanted[entry["bucket"], entry["key"]].append(entry["marker"])
    there: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for bucket in buckets:
        for entry in minio.versions(bucket):
            there[bucket, entry["key"]].insert(0, entry["marker"])
    other = sorted(key for key in wanted.keys() | there.keys() if wanted[key] != there[key])
    if other:
        raise WorkError(
            f"{len(other)} objects have other versions than were put: {other[0][1][:200]}"
        )


def _asking(login: str, place: list[str], act: Callable[[Minio], None]) -> None:
    with closing(Minio(login, *place)) as minio:
        act(minio)


def main(secret: str, words: list[str]) -> int:
    """Do what the words say, and return the exit code."""
    verb, folder, *rest = words
    verbs: dict[str, Callable[[], None]] = {
        "take": lambda: _asking(secret, rest, lambda minio: take(minio, Path(folder))),
        "prove": lambda: prove(Path(folder)),
        "put": lambda: _asking(secret, rest, lambda minio: put(minio, Path(folder))),
    }
    try:
        verbs[verb]()
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (
        WorkError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        ElementTree.ParseError,
        http.client.HTTPException,
    ) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.readline().rstrip("\n"), sys.argv[1:]))
