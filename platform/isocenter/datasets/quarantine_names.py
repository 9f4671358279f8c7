"""From keyed names back to paths, for the person who holds the source folder and the site secret."""

from collections.abc import Iterable
from pathlib import Path

from isocenter.datasets.fingerprint import source_key
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.quarantine import Quarantined
from isocenter.datasets.sources import survey
from isocenter.home import Home


def name_quarantined(
    home: Home, source: Path, entries: Iterable[Quarantined]
) -> list[tuple[str, Quarantined]]:
    """Each of ``entries`` that is still under ``source``, with its path below it.

    The paths are patient data: for the user's own terminal, never to be stored.

    Raises:
        InputError: ``source`` doesn't exist or holds no files.
    """
    pseudonyms = Pseudonyms(home.site_secret())
    tree = survey(source)
    relatives = [*(file.relative for file in tree.files), *(p.relative for p in tree.problems)]
    by_key = {source_key(pseudonyms, relative): relative for relative in relatives}
    return [(by_key[entry.source_key], entry) for entry in entries if entry.source_key in by_key]


def printable(relative: str) -> str:
    """A path as one line of text: newlines, control characters and odd bytes as escapes."""
    return "".join(character if character.isprintable() else _escape(character) for character in relative)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
