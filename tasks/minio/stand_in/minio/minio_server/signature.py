"""AWS Signature Version 4, checked: in the header Authorization, or in the query of a presigned URL."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)
_SKEW = 900
"""Seconds that clocks may differ."""
_FORM = "%Y%m%dT%H%M%SZ"


class DeniedError(Exception):
    """The request is not signed by a user, or the user may not do it; `code` is S3's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    secret_of: Callable[[str], str | None],
) -> str:
    """Return the access key of a user whose signature this is; DeniedError otherwise."""
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    presigned = dict(pairs)
    if "X-Amz-Signature" in presigned:
        credential, signed = presigned["X-Amz-Credential"], presigned["X-Amz-SignedHeaders"]
        signature, stamp = presigned["X-Amz-Signature"], presigned["X-Amz-Date"]
        lifetime, payload = int(presigned["X-Amz-Expires"]), "UNSIGNED-PAYLOAD"
        pairs = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    else:
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            raise DeniedError("AccessDenied", "Access Denied.")
        credential, signed, signature = match[1], match[2], match[3]
        stamp, lifetime = headers.get("x-amz-date", ""), _SKEW
        payload = headers.get("x-amz-content-sha256", "")
        if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(body).hexdigest():
            raise DeniedError("XAmzContentSHA256Mismatch", "The content is not what was signed.")
    key, scope = credential.split("/", 1)
    password = secret_of(key)
    if password is None:
        message = "The Access Key Id you provided does not exist in our records."
        raise DeniedError("InvalidAccessKeyId", message)
    _in_time(stamp, lifetime)
    names = signed.split(";")
    canonical = "\n".join(
        (
            method,
            path,
            "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(pairs)),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            signed,
            payload,
        )
    )
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    if not hmac.compare_digest(_sign(password, scope, text), signature):
        raise DeniedError("SignatureDoesNotMatch", "The request signature does not match.")
    return key


def _in_time(stamp: str, lifetime: int) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        then = datetime.datetime.strptime(stamp, _FORM).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise DeniedError("AccessDenied", "X-Amz-Date is missing.") from None
    age = (now - then).total_seconds()
    if not -_SKEW <= age <= max(lifetime, _SKEW):
        raise DeniedError("RequestTimeTooSkewed", "The clocks differ too much.")


def _sign(password: str, scope: str, text: str) -> str:
    key = f"AWS4{password}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
