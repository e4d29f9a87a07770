"""Applications for tests."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.applications.described import Applications
from keybuzz.site.applications.parse import parse_applications
from keybuzz.site.site import Site
from tests.unit.support.site_values import PLANTED, memory_site

SHOPS = """\
applications:
  shop:
    title: the shop
    redis: {prefix: "shop:"}
    postgres:
      shop: {pool: yes, extensions: [vector]}
      shop_log: {user: shop}
    buckets:
      - shop-files

  erp:
    title: ERPNext with two sites
    mariadb:
      erp_acme: {}
      erp_beta: {user: erp_b, connections: 50}
  queue:
    title: workers
    postgres: shared-pool
    rabbitmq:
      queue: {user: worker}
    redis: {database: 3}
"""


def read(text: str) -> Applications:
    """Return the applications of a text."""
    return parse_applications(text.encode(), "applications.yaml")


def with_applications(text: str = SHOPS, site: Site | None = None) -> Site:
    """Return a site with these applications, and planted passwords for their accounts."""
    base = site or memory_site()
    found = read(text)
    made = {
        item.name: Secret(item.name, f"{PLANTED}-account-{number:03}")
        for number, item in enumerate(schema_with(found))
        if item.name not in base.credentials
    }
    return replace(base, applications=found, credentials={**base.credentials, **made})
