"""Fill the lab's registry: what the builder made, hosts can pull by its frozen reference.

Docker's own `push` is of no use here: the builder stands outside of the lab's network, and the
registry inside. So the controller carries each image in, layer by layer, over the registry's HTTP
interface (version 2). Layers stay as `docker save` gives them, not compressed: the digest of such
a blob is the layer's own, so a layer that the registry has already is known without reading it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from keybuzz.lab.hosts.process import Report, exclusive
from keybuzz.lab.supply import builder, registry
from keybuzz.lab.supply.stand_ins import StandIn
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_SAVE_SECONDS = 600


def fill(settings: LabSettings, stand_ins: Sequence[StandIn], report: Report) -> None:
    """Make sure that the registry has these images as the builder has them. Both must run."""
    with exclusive(settings.images / "mirror.lock"), registry.session(settings) as connection:
        for stand_in in stand_ins:
            _carry(settings, Repository(connection, stand_in.reference), report)


def held(settings: LabSettings, references: Sequence[str]) -> frozenset[str]:
    """Return the image ids that the registry has under these references. It must run."""
    with registry.session(settings) as connection:
        found = [Repository(connection, reference).image_id() for reference in references]
    return frozenset(identity for identity in found if identity)


class Repository:
    """One reference of Docker Hub, as this registry holds it for `registry-mirrors`."""

    def __init__(self, connection: HTTPConnection, reference: str) -> None:
        name, _, self._tag = reference.partition(":")
        self._root = f"/v2/{name if '/' in name else f'library/{name}'}"
        self._connection = connection
        self.reference = reference

    def image_id(self) -> str | None:
        """Return the id of the image under this reference; None when there is none."""
        answer, body = self._call("GET", f"manifests/{self._tag}", headers={"Accept": _MANIFEST})
        if answer.status == 404:
            return None
        self._expect(answer, body, 200)
        identity: str = json.loads(body)["config"]["digest"]
        return identity

    def push(self, archive: Path) -> None:
        """Store what `docker save` wrote: first the layers, the manifest last."""
        with tarfile.open(archive) as tar:
            (entry,) = json.load(_member(tar, "manifest.json"))
            config = _member(tar, entry["Config"]).read()
            digests = json.loads(config)["rootfs"]["diff_ids"]
            layers = [
                self._store(digest, _member(tar, name), _LAYER)
                for digest, name in zip(digests, entry["Layers"], strict=True)
            ]
        own = f"sha256:{hashlib.sha256(config).hexdigest()}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._store(own, io.BytesIO(config), _CONFIG),
            "layers": layers,
        }
        text = json.dumps(manifest).encode()
        headers = {"Content-Type": _MANIFEST}
        answer, body = self._call("PUT", f"manifests/{self._tag}", text, headers)
        self._expect(answer, body, 201)

    def _store(self, digest: str, blob: IO[bytes], kind: str) -> dict[str, Any]:
        size = blob.seek(0, os.SEEK_END)
        answer, body = self._call("HEAD", f"blobs/{digest}")
        if answer.status == 404:
            blob.seek(0)
            self._upload(digest, blob, size)
        else:
            self._expect(answer, body, 200)
        return {"mediaType": kind, "size": size, "digest": digest}

    def _upload(self, digest: str, blob: IO[bytes], size: int) -> None:
        answer, body = self._call("POST", "blobs/uploads/", headers={"Content-Length": "0"})
        self._expect(answer, body, 202)
        place = urlsplit(answer.headers["Location"])
        target = f"{place.path}?{place.query}&{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._connection.request("PUT", target, blob, headers)
        answer = self._connection.getresponse()
        self._expect(answer, answer.read(), 201)

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[HTTPResponse, bytes]:
        self._connection.request(method, f"{self._root}/{path}", body, headers or {})
        answer = self._connection.getresponse()
        return answer, answer.read()

    def _expect(self, answer: HTTPResponse, body: bytes, status: int) -> None:
        if answer.status != status:
            said = body[:300].decode(errors="replace").strip()
            raise KbzError(
                f"the registry answers {answer.status} {answer.reason}: {said}",
                where=self.reference,
                hint="kbz lab up starts the registry anew when it does not work",
            )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise KbzError(f"docker save wrote no {name}", where="lab")
    return file


def _carry(settings: LabSettings, repository: Repository, report: Report) -> None:
    words = ["image", "inspect", "--format", "{{.Id}}", repository.reference]
    if builder.docker(settings, words).strip() == repository.image_id():
        return
    report("", f"Storing {repository.reference} in the lab's registry.")
    for leftover in settings.images.glob("image-save-*"):
        leftover.unlink()
    archive = settings.images / f"image-save-{os.getpid()}.tar"
    try:
        save = ["save", "--output", str(archive), repository.reference]
        builder.docker(settings, save, seconds=_SAVE_SECONDS)
        repository.push(archive)
    finally:
        archive.unlink(missing_ok=True)
