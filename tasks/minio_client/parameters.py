"""The parameters of site.yaml that module minio-client reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import PATH
from keybuzz.site.parameters.parameter import Parameter

ARTEFACTS = Parameter(
    "mc.artefacts",
    PATH,
    "Folder on the controller with the file `mc` of the release in versions.yaml.",
)
PARAMETERS = (ARTEFACTS,)
