"""A workspace over the same site with another versions.yaml: what would be, before the file says so."""

from __future__ import annotations

import copy
from dataclasses import replace

from keybuzz.engine.workspace import Workspace
from keybuzz.site.versions import parse_versions


def over_versions(workspace: Workspace, content: bytes, source: str) -> Workspace:
    """Return the workspace over this versions.yaml; InputError names what is wrong in it."""
    text = content.decode("utf-8", "replace")
    site = replace(workspace.site, versions=parse_versions(content, source), versions_text=text)
    nornir = copy.copy(workspace.nornir)
    config = copy.copy(nornir.config)
    config.user_defined = {**config.user_defined, "site": site}
    nornir.config = config
    return replace(workspace, site=site, nornir=nornir)
