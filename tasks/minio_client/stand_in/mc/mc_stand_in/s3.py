"""Signed requests to S3 (Signature Version 4), as far as `ls` needs them."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from mc_stand_in.config import FatalError

_SECONDS = 10.0
_REGION = "us-east-1"
_EMPTY = hashlib.sha256(b"").hexdigest()
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def buckets(entry: Mapping[str, str]) -> list[str]:
    """Return the names of all buckets that the alias' account sees."""
    found = _asked(entry, "/", {})
    return [name.text or "" for name in found.iter(f"{_SPACE}Name")]


def objects(entry: Mapping[str, str], bucket: str) -> list[tuple[str, int]]:
    """Return key and size of the objects of a bucket, at most a thousand."""
    found = _asked(entry, f"/{quote(bucket)}", {"list-type": "2"})
    return [
        (item.findtext(f"{_SPACE}Key", ""), int(item.findtext(f"{_SPACE}Size", "0")))
        for item in found.iter(f"{_SPACE}Contents")
    ]


def service(entry: Mapping[str, str], action: str) -> None:
    """Let the cluster hold requests back, or let them go on."""
    _asked(entry, "/minio/admin/v3/service", {"action": action, "type": "2"}, "POST")


def _asked(
    entry: Mapping[str, str], path: str, query: Mapping[str, str], method: str = "GET"
) -> ElementTree.Element:
    place = urlsplit(entry["url"]).netloc
    words = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
    connection = http.client.HTTPConnection(place, timeout=_SECONDS)
    try:
        target = f"{path}?{words}" if words else path
        connection.request(method, target, headers=_signed(entry, place, method, path, words))
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise FatalError(f'Unable to list folder. Get "{entry["url"]}/": {error}.') from None
    finally:
        connection.close()
    tree = ElementTree.fromstring(body) if body else ElementTree.Element("none")
    if answer.status != http.client.OK:
        raise FatalError(f"Unable to list folder. {tree.findtext('Message', str(answer.status))}")
    return tree


def _signed(
    entry: Mapping[str, str], place: str, method: str, path: str, words: str
) -> dict[str, str]:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    lines = f"host:{place}\nx-amz-content-sha256:{_EMPTY}\nx-amz-date:{stamp}\n"
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = f"{method}\n{path}\n{words}\n{lines}\n{names}\n{_EMPTY}"
    scope = f"{stamp[:8]}/{_REGION}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{entry['secretKey']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={entry['accessKey']}/{scope}"
    return {
        "Host": place,
        "x-amz-content-sha256": _EMPTY,
        "x-amz-date": stamp,
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}",
    }
