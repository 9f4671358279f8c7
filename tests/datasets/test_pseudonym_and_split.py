import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.split import split_of
from isocenter.domain.dataset import Split


def test_a_key_is_hmac_sha256_of_kind_and_parts_with_their_lengths() -> None:
    message = b"".join(len(part).to_bytes(8, "big") + part for part in (b"patient", b"H", b"42"))
    expected = hmac.new(b"s" * 32, message, hashlib.sha256).hexdigest()
    assert Pseudonyms(b"s" * 32).key("patient", "H", "42") == expected


def test_secret_kind_and_boundaries_between_parts_all_matter() -> None:
    one, other = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    keys = [
        one.key("patient", "ab", "c"),
        one.key("patient", "a", "bc"),
        one.key("study", "ab", "c"),
        other.key("patient", "ab", "c"),
    ]
    assert len(set(keys)) == len(keys)
    assert "aaaa" not in repr(one)


def test_a_name_that_is_no_utf8_has_a_key() -> None:
    odd = b"\xff\xfe.dcm".decode("utf-8", "surrogateescape")
    assert Pseudonyms(b"a" * 32).key("file", odd) == Pseudonyms(b"a" * 32).key("file", b"\xff\xfe.dcm")


def test_the_split_of_a_patient_never_changes() -> None:
    """Frozen: a change would move patients between the training and test parts of existing stores."""
    splits = [split_of("id", "hospital", f"patient-{number}").value for number in range(8)]
    assert splits == ["validation", "test", "validation", "train", "validation", "train", "train", "test"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=30, unique=True), st.randoms())
def test_adding_and_shuffling_patients_moves_nobody(patients: list[str], random: object) -> None:
    before = {patient: split_of(patient) for patient in patients[: len(patients) // 2]}
    random.shuffle(patients)  # type: ignore[attr-defined]
    after = {patient: split_of(patient) for patient in patients}
    assert before.items() <= after.items()


def test_shares_are_seventy_fifteen_fifteen_in_each_class() -> None:
    for label in ("normal", "pneumonia"):
        splits = [split_of(label, str(number)) for number in range(20_000)]
        shares = {split: splits.count(split) / len(splits) for split in Split}
        # Four standard deviations of a share of 20,000.
        assert shares[Split.TRAIN] == pytest.approx(0.70, abs=0.013)
        assert shares[Split.VALIDATION] == pytest.approx(0.15, abs=0.0105)
        assert shares[Split.TEST] == pytest.approx(0.15, abs=0.0105)
