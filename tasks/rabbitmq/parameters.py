"""The parameters of site.yaml that module rabbitmq reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Choice, Count, Maybe, Text
from keybuzz.site.parameters.parameter import Parameter

PARTITION_HANDLING = Parameter(
    "rabbitmq.partition_handling",
    Choice(("ignore", "pause_minority", "autoheal")),
    "What a node does that sees fewer than half of the others.",
)
OPEN_FILES = Parameter(
    "rabbitmq.open_files",
    Count(0),
    "Files that a node may have open; 0: as many as the host gives.",
)
DATA_OF = Parameter(
    "rabbitmq.data_of",
    Maybe(Text(r"\S+:\d+\.\d+\.\S+", "the reference of an image")),
    "An image whose data the described one loads, where that is not what its tag says: a stand-in of another series.",
    default="none",
)
PARAMETERS = (PARTITION_HANDLING, OPEN_FILES, DATA_OF)
