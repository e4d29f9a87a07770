"""Dask as kbz runs it: no configuration of its own, nothing done twice, TLS with names that are checked."""

from __future__ import annotations

import logging
import socket
import ssl
import stat
from typing import Any

import dask
import distributed
from distributed.security import Security

from keybuzz.engine.shards.pool.wire import Names, read_only
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.shards import Tls

CONNECT = 10.0
"""Seconds for a connection."""
_SETTINGS: dict[str, Any] = {
    "distributed.comm.require-encryption": True,
    "distributed.comm.timeouts.connect": f"{CONNECT:g}s",
    "distributed.comm.timeouts.tcp": "30s",  # a peer that says nothing is gone then
    "distributed.comm.retry.count": 0,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.default-task-durations": {},
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.low-level-log-length": 0,  # what hosts said is handed on, and not kept
    "distributed.diagnostics.nvml": False,
}


def prepare(names: Names) -> None:
    """Set up Dask in this process: files and variables that configure it are not read."""
    dask.config.refresh(paths=[], env={})
    dask.config.set(_SETTINGS)
    read_only(names)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(_NAME)]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


_NAME = distributed.__name__


class CheckedSecurity(Security):
    """TLS both ways, by one CA of the pool's own; a peer has the address that was asked for in its certificate."""

    def _get_tls_context(self, tls: dict[str, str], purpose: ssl.Purpose) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_tls_context(tls, purpose)  # type: ignore[no-untyped-call]  # Dask's have no types
        context.check_hostname = purpose is ssl.Purpose.SERVER_AUTH
        return context


def security(tls: Tls) -> CheckedSecurity:
    """Return the security of a process; InputError when a file is missing, or the key is open to others."""
    for path in (tls.ca, tls.cert, tls.key):
        if not path.is_file():
            raise InputError("there is no such file", where=str(path), hint=_HINT)
    if stat.S_IMODE(tls.key.stat().st_mode) & 0o077:
        raise InputError("others can read this key", where=str(tls.key), hint="chmod 600")
    roles = {
        f"tls_{role}_{part}": str(path)
        for role in ("client", "scheduler", "worker")
        for part, path in (("cert", tls.cert), ("key", tls.key))
    }
    found = CheckedSecurity(  # type: ignore[no-untyped-call]  # Dask's have no types
        require_encryption=True,
        tls_ca_file=str(tls.ca),
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        **roles,
    )
    try:
        found.get_connection_args("client")  # type: ignore[no-untyped-call]  # Dask's have no types
    except (OSError, ValueError) as error:
        raise InputError(_reason(error), where=str(tls.cert), hint=_HINT) from None
    return found


_HINT = "make the certificates as docs/scale.md says"


def knock(address: str, tls: CheckedSecurity) -> None:
    """See that a scheduler answers there and takes this certificate; ContactError with the reason."""
    host, _, port = address.rpartition(":")
    context = tls.get_connection_args("client")["ssl_context"]  # type: ignore[no-untyped-call]  # Dask's have no types
    try:
        with (
            socket.create_connection((host, int(port)), CONNECT) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            # With TLS 1.3 a server says only now whether it takes the certificate; Dask's begins to speak by itself.
            if not wrapped.recv(1):
                raise ContactError("it ended the connection without a word")
    except OSError as error:
        raise ContactError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not taken: {one_line(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS ended: {one_line(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return f"it does not answer within {CONNECT:g} s"
    return one_line(getattr(error, "strerror", None) or str(error))


def tls_address(address: str) -> str:
    """Return an address of the configuration as Dask's."""
    return f"tls://{address}"
