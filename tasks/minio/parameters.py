"""The parameters of site.yaml that module minio reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import YesNo
from keybuzz.site.parameters.parameter import Parameter

DATA_MUST_BE_MOUNT = Parameter(
    "minio.data_must_be_mount",
    YesNo(),
    "Whether the data must be on a volume of its own: an unmounted one is an empty folder.",
    "yes",
)
PARAMETERS = (DATA_MUST_BE_MOUNT,)
