"""Text values in the character set that the file names (PS3.5 section 6.1)."""

import re
from contextlib import suppress

ESCAPE = b"\x1b"
ESCAPE_SEQUENCE = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")


def decode_text(value: bytes, character_sets: bytes) -> str:
    """``value`` decoded by Specific Character Set; what can't be decoded is replaced, never an error.

    Args:
        value: the element's bytes.
        character_sets: the bytes of (0008,0005), empty where absent.
    """
    if value.isascii() and ESCAPE not in value:
        return value.decode("ascii")
    encodings = _python_encodings(character_sets)
    for encoding in reversed(encodings) if ESCAPE in value else encodings[:1]:
        # Python's ISO 2022 codecs read the escape sequences themselves; for the others they say nothing new.
        plain = value if encoding.startswith("iso2022") else ESCAPE_SEQUENCE.sub(b"", value)
        with suppress(UnicodeError):
            return plain.decode(encoding)
    return value.decode(encodings[0], "replace")


def _python_encodings(character_sets: bytes) -> list[str]:
    from pydicom.charset import python_encoding

    terms = [term.strip(" \0") for term in character_sets.decode("latin-1").split("\\")]
    known = [python_encoding.get(re.sub(r"^ISO[ -]IR", "ISO_IR", term)) for term in terms]
    return [encoding for encoding in known if encoding] or ["latin-1"]
