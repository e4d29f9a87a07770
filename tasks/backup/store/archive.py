"""A service in the repository as an archive: the way in and out that all of them share. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.reading import Answer, DirectoryListing, FileText, Reading
from keybuzz.site.backups.archive import Archive, Copy, DamagedListError, Place, Work
from keybuzz.site.site import Site
from tasks.backup import placing
from tasks.backup.store import places
from tasks.backup.store.catalogue import Catalogue, copy_of, parse
from tasks.backup.store.contained import DAMAGED
from tasks.backup.store.service import Stored

THERE, CATALOGUE = "backup.store.there", "backup.store.catalogue"
"""Names of the readings: whether there is a list of what is in the repository, and that list."""
_REACHED = (
    "import datetime, json, sys; found = json.load(open(sys.argv[1])); "
    "print(datetime.datetime.fromtimestamp(found['began'], datetime.timezone.utc).isoformat(' ', 'seconds'))"
)


def looks() -> tuple[Reading, ...]:
    """Return the questions what is in the repository: no process is started for it."""
    return (
        DirectoryListing(THERE, places.ROOT),
        FileText(CATALOGUE, places.CATALOGUE),
    )


def catalogue_of(answers: Mapping[str, Answer]) -> Catalogue:
    """Return what is in the repository. ValueError with the reason when the host does not say."""
    there, text = answers[THERE], answers[CATALOGUE]
    if not there.known:
        raise ValueError(there.problem)
    if places.LISTED not in there.value["names"]:
        return Catalogue()
    if not text.known:
        raise DamagedListError(f"{text.problem}; the next backup or restore makes the list again")
    return parse(text.value["text"])


def archive_of(stored: Stored) -> Archive:
    """Return how a service in the repository is taken, proven and restored."""
    container = stored.service if stored.container else ""
    place = placing.restored(stored.service, container)
    scratch = placing.scratch(stored.service, container)

    def ask(site: Site) -> tuple[Reading, ...]:
        asked = stored.ask(site)
        return (*looks(), *asked) if asked else ()

    def copies(site: Site, answers: Mapping[str, Answer]) -> tuple[Copy, ...]:
        living = stored.cluster(site, answers)
        found = catalogue_of(answers).copies
        return tuple(copy_of(one, living) for one in found if one.service == stored.service)

    return Archive(
        service=stored.service,
        name=stored.name,
        image=stored.image,
        ask=ask,
        copies=copies,
        take=lambda site, answers, image: _take(stored, site, answers, image),
        verify=lambda site, copy, image: _verify(stored, site, copy, image),
        damaged=lambda code, said: code == DAMAGED,
        mark=lambda site, copy, wrong: places.noting(
            f"note what was found of {copy}", "note", copy, wrong
        ),
        place=place,
        scratch=scratch,
        away=placing.away,
        free=placing.free,
        restore=lambda site, into, copy, until, image: _restore(stored, site, into, copy, image),
        reached=lambda site, into: _reached(into),
        opened=lambda site, into: stored.opened(into),
        relist=lambda site: places.repository(site, "make the list again", "list"),
        sources=stored.sources,
    )


def _take(
    stored: Stored, site: Site, answers: Mapping[str, Answer], image: str
) -> tuple[Work, ...]:
    """Return the whole way into the repository: what is not proven does not come in."""
    service, folder = stored.service, places.staging(stored.service)
    source = stored.choose(site, answers)
    words = (service, source.cluster, source.host)
    return (
        places.repository(
            site, "begin, without what a backup that was cut off has left", "begin", service
        ),
        *stored.fill(site, source, image, folder),
        *stored.prove(folder, image),
        places.repository(site, "put it into the repository", "keep", *words),
        places.repository(
            site,
            "remove what is no longer kept",
            "forget",
            service,
            *places.retention(site),
            needed=False,
        ),
        _tidy(folder),
    )


def _verify(stored: Stored, site: Site, copy: str, image: str) -> tuple[Work, ...]:
    """Return how a backup is laid out again, and read by the service's own program."""
    folder = f"{places.ROOT}/verify/{stored.service}"
    return (
        _fetch(stored, site, copy, folder),
        *stored.prove(folder, image),
        _tidy(folder),
    )


def _tidy(folder: str) -> Work:
    """Return what takes away what lies there in clear, however the steps before it end."""
    return Work("take it away", ("rm", "-rf", folder, f"{folder}.partial"), 600.0, tidies=True)


def _restore(stored: Stored, site: Site, into: Place, copy: str, image: str) -> tuple[Work, ...]:
    return (
        placing.begin(into),
        _fetch(stored, site, copy, into.folder),
        *stored.prove(into.folder, image),
        *stored.serve(into, image),
        places.noting("note that it was restored", "restored", stored.service),
        placing.complete(into),
    )


def _fetch(stored: Stored, site: Site, copy: str, folder: str) -> Work:
    return places.repository(
        site, f"every file of {copy} against its manifest", "fetch", copy, stored.service, folder
    )


def _reached(into: Place) -> Work:
    manifest = f"{into.folder}/kbz.manifest.json"
    return Work("the time of its data", ("python3", "-I", "-c", _REACHED, manifest), 60.0)
