"""Free texts about the scanner, kept only where nothing of the same file's identity is in them.

Device fields are typed by people, and people type names, numbers and dates into them.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from isocenter.imaging.dicom_file import DicomFile
from isocenter.imaging.tags import Tag
from isocenter.imaging.text import decode_text
from isocenter.imaging.values import ascii_text

LONGEST_TEXT = 64
# Letters and digits of any script, and what product names are written with. No ^ and = of names, no @.
_OTHER = re.compile(r"[^\w .,:;+*/&()'\"#®™\N{REPLACEMENT CHARACTER}-]|_")
_WORD = re.compile(r"[^\W_]+")
_SHORTEST_WORD = 3
# Names and numbers: each word of these counts. Whoever made or ordered the image is a person too.
_WORDED = (
    *(Tag.PATIENT_NAME, Tag.PATIENT_ID, Tag.ACCESSION_NUMBER, Tag.STUDY_ID, Tag.OTHER_PATIENT_IDS),
    *(Tag.OTHER_PATIENT_NAMES, Tag.PATIENT_BIRTH_NAME, Tag.PATIENT_MOTHER_BIRTH_NAME, Tag.PATIENT_ADDRESS),
    *(Tag.PATIENT_TELEPHONE_NUMBERS, Tag.MEDICAL_RECORD_LOCATOR, Tag.REFERRING_PHYSICIAN_NAME),
    *(Tag.PERFORMING_PHYSICIAN_NAME, Tag.OPERATORS_NAME),
)
# Only the whole counts: parts of these are in every product's number.
_DATES = (Tag.PATIENT_BIRTH_DATE, Tag.STUDY_DATE, Tag.SERIES_DATE, Tag.ACQUISITION_DATE, Tag.CONTENT_DATE)
_UIDS = (Tag.STUDY_INSTANCE_UID, Tag.SERIES_INSTANCE_UID, Tag.SOP_INSTANCE_UID)


class FreeTexts:
    """Reads free texts of one file.

    Args:
        file: the file; its names, numbers, dates and UIDs are what no text may hold.
    """

    def __init__(self, file: DicomFile) -> None:
        self._file = file
        self._words = frozenset(_words(_decoded(file, tag) for tag in _WORDED))
        self._uids = frozenset(filter(None, (ascii_text(file.value(tag)) for tag in _UIDS)))
        self._dates = frozenset(_spellings(ascii_text(file.value(tag)) for tag in _DATES))

    def read(self, tag: Tag) -> str:
        """One line of at most ``LONGEST_TEXT`` plain characters; empty where identity is in the value."""
        whole = " ".join(_printable(_decoded(self._file, tag)[: 8 * LONGEST_TEXT]).split())
        if self._identifies(whole):
            return ""
        return " ".join(_OTHER.sub(" ", whole).split())[:LONGEST_TEXT].rstrip()

    def unless_identifying(self, text: str) -> str:
        """``text``, or nothing where identity is in it."""
        return "" if self._identifies(text) else text

    def _identifies(self, text: str) -> bool:
        plain = _plain(text)
        joined = "".join(_WORD.findall(plain))
        digits = re.sub(r"\D", "", plain)
        return (
            any(word in plain or word in joined for word in self._words)
            or any(uid in text for uid in self._uids)
            or any(date in digits for date in self._dates)
        )


def _words(texts: Iterable[str]) -> Iterator[str]:
    """Words of three and more letters or digits; of two in scripts that write a name with two characters."""
    for text in texts:
        for word in _WORD.findall(_plain(text)):
            if len(word) >= (_SHORTEST_WORD if word.isascii() else 2):
                yield word
                if word.isdecimal() and len(word.lstrip("0")) > _SHORTEST_WORD:
                    yield word.lstrip("0")


def _spellings(dates: Iterable[str]) -> Iterator[str]:
    """The digits of each date, as a year, month and day are written one after the other."""
    for date in dates:
        digits = re.sub(r"\D", "", date)
        if len(digits) == 8:
            year, month, day = digits[:4], digits[4:6], digits[6:]
            yield from (digits, day + month + year, month + day + year)


def _plain(text: str) -> str:
    """Without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _decoded(file: DicomFile, tag: Tag) -> str:
    return decode_text(file.value(tag), file.value(Tag.SPECIFIC_CHARACTER_SET))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
