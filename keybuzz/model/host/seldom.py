"""The questions that one verb asks and no description has."""

from keybuzz.model.host.candidates import CredentialCandidates
from keybuzz.model.host.ground import DataSweep
from keybuzz.model.host.readiness import Readiness
from keybuzz.model.host.strays import StraySweep

SeldomAsked = StraySweep | DataSweep | CredentialCandidates | Readiness
