"""kbz: installs, checks and maintains the KeyBuzz infrastructure. A Nornir framework, not a tool that hides one.

from keybuzz import init
nr = init()                                     # a plain nornir.core.Nornir
nr.filter(F(role="db")).run(task=base.check)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nornir.core import Nornir

__all__ = ["init"]


def init(
    config: str = "nornir_config.yaml", access: Literal["look", "change"] = "change"
) -> Nornir:
    """Return a Nornir with our inventory, connections and runner; it enters the lab when that is the target.

    With `access="look"` the hosts themselves refuse whatever would change them.
    """
    from pathlib import Path

    from keybuzz.engine.catalogue import settled
    from keybuzz.engine.nornir import make_nornir
    from keybuzz.lab.network.namespace import enter
    from keybuzz.model.core.access import Access
    from keybuzz.site.load import load_site, read_configuration

    configuration = read_configuration(Path(config))
    site = settled(load_site(configuration))
    if site.settings.lab is not None:
        enter(site.settings.lab)
    return make_nornir(configuration, site, Access(access))
