"""The environment of an application: official endpoints and names in clear, secrets as references. Pure.

The first database, vhost or bucket has the short names (`DATABASE_URL`); each further one has its own name in them
(`SHOP_EVENTS_DATABASE_URL`), so that describing one more never renames what an application reads already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.applications.described import Application, Service
from keybuzz.site.applications.uses import POOL_PORT, POSTGRES_PORT, Endpoints
from keybuzz.site.credentials.accounts import MARIADB, MINIO, POSTGRES, RABBITMQ


@dataclass(frozen=True, slots=True)
class Plain:
    """A variable that everyone may read."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Password:
    """A variable whose value is a credential of the store."""

    name: str
    credential: str


@dataclass(frozen=True, slots=True)
class Url:
    """A variable that holds an URL with a credential of the store in it."""

    name: str
    before: str
    credential: str
    after: str


Variable = Plain | Password | Url


@dataclass(frozen=True, slots=True)
class _Account:
    """One account at one place: a database or a vhost."""

    user: str
    credential: str
    place: str


def environment(
    application: Application, endpoints: Endpoints, credentials: Mapping[str, Secret]
) -> tuple[Variable, ...]:
    """Return the variables of the application.

    The names of the platform's own accounts are in the store; `credentials` may be empty for an application that has
    accounts of its own only. InputError when a name is missing.
    """
    found: list[Variable] = []
    for service in application.services:
        match service:
            case Service.POSTGRES:
                found += _postgres(application, endpoints, credentials)
            case Service.MARIADB:
                found += _mariadb(application, endpoints, credentials)
            case Service.RABBITMQ:
                found += _rabbitmq(application, endpoints, credentials)
            case Service.REDIS:
                found += _redis(application, endpoints)
            case Service.BUCKETS:
                found += _buckets(application, endpoints)
    return tuple(found)


def needs_store(application: Application) -> bool:
    """Return whether names for its environment are in the credential store only."""
    return bool(application.shared - {Service.REDIS})


def _postgres(
    application: Application, endpoints: Endpoints, credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        (_Account(item.user, POSTGRES.credential(item.user).name, item.name), item.pool)
        for item in application.databases
    ]
    if Service.POSTGRES in application.shared:
        names = _names(credentials, "POSTGRES_APP_USER", "POSTGRES_DB")
        own = [(_Account(names[0], "POSTGRES_APP_PASS", names[1]), application.pool)]
    for place, (account, pool) in enumerate(own):
        endpoint = endpoints[Service.POSTGRES, POOL_PORT if pool else POSTGRES_PORT]
        short = _prefix(place, account.place)
        yield Plain(f"{short}POSTGRES_HOST", endpoint.host)
        yield Plain(f"{short}POSTGRES_PORT", str(endpoint.port))
        yield Plain(f"{short}POSTGRES_DB", account.place)
        yield Plain(f"{short}POSTGRES_USER", account.user)
        yield Password(f"{short}POSTGRES_PASSWORD", account.credential)
        yield Url(
            f"{short}DATABASE_URL",
            f"postgresql://{account.user}:",
            account.credential,
            f"@{endpoint}/{account.place}",
        )


def _mariadb(
    application: Application, endpoints: Endpoints, credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        _Account(item.user, MARIADB.credential(item.user).name, item.name)
        for item in application.sites
    ]
    if Service.MARIADB in application.shared:
        names = _names(credentials, "MARIADB_APP_USER", "MARIADB_DB")
        own = [_Account(names[0], "MARIADB_APP_PASSWORD", names[1])]
    ((endpoint),) = [found for (of, _), found in endpoints.items() if of is Service.MARIADB]
    for place, account in enumerate(own):
        short = _prefix(place, account.place)
        yield Plain(f"{short}MARIADB_HOST", endpoint.host)
        yield Plain(f"{short}MARIADB_PORT", str(endpoint.port))
        yield Plain(f"{short}MARIADB_DATABASE", account.place)
        yield Plain(f"{short}MARIADB_USER", account.user)
        yield Password(f"{short}MARIADB_PASSWORD", account.credential)
        yield Url(
            f"{short}MARIADB_URL",
            f"mysql://{account.user}:",
            account.credential,
            f"@{endpoint}/{account.place}",
        )


def _rabbitmq(
    application: Application, endpoints: Endpoints, credentials: Mapping[str, Secret]
) -> Iterator[Variable]:
    own = [
        _Account(item.user, RABBITMQ.credential(item.user).name, item.name)
        for item in application.vhosts
    ]
    if Service.RABBITMQ in application.shared:
        (user,) = _names(credentials, "RABBITMQ_USER")
        own = [_Account(user, "RABBITMQ_PASSWORD", "/")]
    ((endpoint),) = [found for (of, _), found in endpoints.items() if of is Service.RABBITMQ]
    for place, account in enumerate(own):
        short = _prefix(place, account.place)
        vhost = "%2F" if account.place == "/" else account.place
        yield Plain(f"{short}RABBITMQ_HOST", endpoint.host)
        yield Plain(f"{short}RABBITMQ_PORT", str(endpoint.port))
        yield Plain(f"{short}RABBITMQ_VHOST", account.place)
        yield Plain(f"{short}RABBITMQ_USER", account.user)
        yield Password(f"{short}RABBITMQ_PASSWORD", account.credential)
        yield Url(
            f"{short}AMQP_URL",
            f"amqp://{account.user}:",
            account.credential,
            f"@{endpoint}/{vhost}",
        )


def _redis(application: Application, endpoints: Endpoints) -> Iterator[Variable]:
    part = application.redis
    number = part.database if part is not None else 0
    ((endpoint),) = [found for (of, _), found in endpoints.items() if of is Service.REDIS]
    yield Plain("REDIS_HOST", endpoint.host)
    yield Plain("REDIS_PORT", str(endpoint.port))
    yield Plain("REDIS_DB", str(number))
    if part is not None and part.prefix:
        yield Plain("REDIS_PREFIX", part.prefix)
    yield Password("REDIS_PASSWORD", "REDIS_PASSWORD")
    yield Url("REDIS_URL", "redis://:", "REDIS_PASSWORD", f"@{endpoint}/{number}")


def _buckets(application: Application, endpoints: Endpoints) -> Iterator[Variable]:
    ((endpoint),) = [found for (of, _), found in endpoints.items() if of is Service.BUCKETS]
    yield Plain("S3_ENDPOINT", f"http://{endpoint}")
    yield Plain("S3_ACCESS_KEY_ID", application.store_user)
    yield Password("S3_SECRET_ACCESS_KEY", MINIO.credential(application.store_user).name)
    for place, bucket in enumerate(application.buckets):
        yield Plain(f"{_prefix(place, bucket.name)}S3_BUCKET", bucket.name)


def _prefix(place: int, name: str) -> str:
    return f"{name.upper().replace('-', '_')}_" if place else ""


def _names(credentials: Mapping[str, Secret], *variables: str) -> tuple[str, ...]:
    for variable in variables:
        if variable not in credentials:
            raise InputError(
                f"{variable} is not in the credential store, and the application uses the platform's account",
                where=variable,
                hint="kbz secrets init creates it",
            )
    return tuple(credentials[variable].reveal() for variable in variables)
