"""The parameters of site.yaml that module k3s reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import PATH, Count, Maybe, Text, Words
from keybuzz.site.parameters.parameter import Parameter

ARTEFACTS = Parameter(
    "k3s.artefacts",
    PATH,
    "Folder on the controller with the file `k3s` of the release in versions.yaml.",
)
API_NAMES = Parameter(
    "k3s.api_names",
    Words(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "names and addresses separated by spaces, or none"),
    "Further names by which the API is reached; none: the servers' own.",
    "none",
)
REGISTRY_MIRROR = Parameter(
    "k3s.registry_mirror",
    Maybe(Text(r"https?://[a-z0-9.-]+(:[0-9]+)?", "a URL such as http://10.0.0.250:5000")),
    "The registry that containerd pulls every image from; none: from the images' own.",
    "none",
)
NODE_GRACE = Parameter(
    "k3s.node_grace_seconds",
    Count(1, 9_999, "seconds"),
    "A node that is silent for this long counts as lost.",
    "40",
)
CERTIFICATE_DAYS = Parameter(
    "k3s.certificate_days",
    Count(14, 120, "days"),
    "A certificate that ends earlier is told of; a restart renews what ends within 120 days.",
    "90",
)
PARAMETERS = (ARTEFACTS, API_NAMES, REGISTRY_MIRROR, NODE_GRACE, CERTIFICATE_DAYS)
