"""Variables of an application's environment: in clear, or by the name of a credential. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One official address and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


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
class Account:
    """One account at one place: a database or a vhost."""

    user: str
    credential: str
    place: str


@dataclass(frozen=True, slots=True)
class Form:
    """How variables for accounts of one service are called."""

    prefix: str
    """Such as `POSTGRES`."""
    place: str
    """Word of the variable that names the place, such as `DB`."""
    url: str
    """Name of the variable with the URL."""
    scheme: str

    def variables(
        self, account: Account, endpoint: Endpoint, number: int, place: str = ""
    ) -> Iterator[Variable]:
        """Yield the variables of one account; `number` is its place among those of the application.

        `place` is how the URL spells the place, where it does not spell it as it is.
        """
        short = f"{prefix(number, account.place)}{self.prefix}"
        yield Plain(f"{short}_HOST", endpoint.host)
        yield Plain(f"{short}_PORT", str(endpoint.port))
        yield Plain(f"{short}_{self.place}", account.place)
        yield Plain(f"{short}_USER", account.user)
        yield Password(f"{short}_PASSWORD", account.credential)
        yield Url(
            f"{prefix(number, account.place)}{self.url}",
            f"{self.scheme}://{account.user}:",
            account.credential,
            f"@{endpoint}/{place or account.place}",
        )


def prefix(number: int, name: str) -> str:
    """Return how the variables begin: the first of a service has the short names."""
    return f"{name.upper().replace('-', '_')}_" if number else ""


def names_of(credentials: Mapping[str, Secret], *variables: str) -> tuple[str, ...]:
    """Return names that the store holds; InputError for one that it does not hold."""
    for variable in variables:
        if variable not in credentials:
            raise InputError(
                f"{variable} is not in the credential store, and the application uses the platform's account",
                where=variable,
                hint="kbz secrets init creates it",
            )
    return tuple(credentials[variable].reveal() for variable in variables)
