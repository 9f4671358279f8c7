"""Attribute values as a person reads them."""

_NOT_STATED = "not stated"


def display_value(attribute: str, value: str) -> str:
    """``value`` of a manifest column for a table or chart: names for UIDs, words for what is unknown."""
    if not value or value == "nan":
        return _NOT_STATED
    if attribute == "transfer_syntax":
        from pydicom.uid import UID

        return UID(value).name
    return value
