"""AWS Signature Version 4 for S3 and for MinIO's admin interface: the password signs, and never travels."""

from __future__ import annotations

import hashlib
import hmac
import time

_REGION = "us-east-1"


def signed(
    method: str,
    host: str,
    path: str,
    query: dict[str, str],
    body: bytes,
    user: str,
    password: str,
    more: dict[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a signed request; `more` are headers of the caller's own, in small letters.

    Path, and names and values of the query, must be of letters, digits and `-_.~` (a path also of `/`), so that
    there is nothing to quote.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = hashlib.sha256(body).hexdigest()
    own = {"x-amz-content-sha256": payload, "x-amz-date": stamp, **(more or {})}
    headers = dict(sorted({"host": host, **own}.items()))
    names = ";".join(headers)
    lines = "\n".join(f"{name}:{value}" for name, value in headers.items())
    canonical = f"{method}\n{path}\n{encoded(query)}\n{lines}\n\n{names}\n{payload}"
    scope = f"{stamp[:8]}/{_REGION}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{password}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": host,
        **own,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={names}, Signature={signature}",
    }


def encoded(query: dict[str, str]) -> str:
    """Return the query string, sorted as the signature wants it."""
    return "&".join(f"{name}={value}" for name, value in sorted(query.items()))
