"""All checks of this machine, in the order of the table."""

from collections.abc import Iterator

from isocenter.doctor.check import Check
from isocenter.doctor.hardware import check_computing
from isocenter.doctor.software import (
    check_codecs,
    check_extras,
    check_packages,
    check_programs,
    check_python,
)
from isocenter.doctor.store import check_audit_key, check_database, check_disk, check_store


def examine() -> Iterator[Check]:
    """Run each check; nothing is changed and nothing is made, not even a store."""
    yield check_python()
    yield from check_packages()
    yield check_codecs()
    yield from check_computing()
    yield check_store()
    yield check_disk()
    yield check_database()
    yield check_audit_key()
    yield from check_programs()
    yield from check_extras()
