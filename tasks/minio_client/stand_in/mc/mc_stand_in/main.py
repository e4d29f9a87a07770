"""The words of the command line: `--version`, `alias set|list|rm`, `ls ALIAS[/BUCKET]`, `admin service …`."""

from __future__ import annotations

import sys

from mc_stand_in import VERSION, config, s3
from mc_stand_in.config import FatalError

NAME = f"mc version {VERSION} (stand-in of the kbz lab: aliases, ls and a freeze, not mc)"


def main() -> None:
    """Do what the words say; mc's error and exit code 1 when it cannot."""
    try:
        _run(sys.argv[1:])
    except FatalError as error:
        print(f"mc: <ERROR> {error}", file=sys.stderr)
        sys.exit(1)


def _run(words: list[str]) -> None:
    match words:
        case ["--version" | "-v"]:
            print(NAME)
        case ["alias", "set", name, url, user, password]:
            _set(name, url, user, password)
        case ["alias", "list" | "ls", *names]:
            _list(names)
        case ["alias", "rm" | "remove", name]:
            found = config.load()
            config.alias(name)
            del found["aliases"][name]
            config.save(found)
            print(f"Removed `{name}` successfully.")
        case ["ls", place]:
            _ls(place)
        case ["admin", "service", "freeze" | "unfreeze" as action, name]:
            s3.service(config.alias(name.rstrip("/")), action)
            print(f"Service {action} request for `{name}` was sent successfully.")
        case _:
            raise FatalError(f"`{' '.join(words)}` is not a recognized command of the stand-in.")


def _set(name: str, url: str, user: str, password: str) -> None:
    entry = {
        "url": url.rstrip("/"),
        "accessKey": user,
        "secretKey": password,
        "api": "s3v4",
        "path": "auto",
    }
    s3.buckets(entry)  # mc asks before it keeps an alias
    found = config.load()
    config.save({**found, "aliases": {**found["aliases"], name: entry}})
    print(f"Added `{name}` successfully.")


def _list(names: list[str]) -> None:
    for name in names or sorted(config.load()["aliases"]):
        entry = config.alias(name.rstrip("/"))
        print(name.rstrip("/"))
        for title, key in (
            ("URL", "url"),
            ("AccessKey", "accessKey"),
            ("SecretKey", "secretKey"),
            ("API", "api"),
            ("Path", "path"),
        ):
            print(f"  {title:<9} : {entry.get(key, '')}")


def _ls(place: str) -> None:
    name, _, bucket = place.rstrip("/").partition("/")
    entry = config.alias(name)
    if not bucket:
        for found in s3.buckets(entry):
            print(f"[2024-10-02 00:00:00 UTC]     0B {found}/")
        return
    for key, size in s3.objects(entry, bucket):
        print(f"[2024-10-02 00:00:00 UTC] {size:>5}B STANDARD {key}")
