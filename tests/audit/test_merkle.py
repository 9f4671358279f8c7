"""The Merkle tree against RFC 6962's definition and Certificate Transparency's own test vectors."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.audit.merkle import CompactRange, leaf_hash

# google/certificate-transparency, merkletree tests: inputs and the root after each.
VECTORS = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
]


def merkle_tree_hash(entries: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = merkle_tree_hash(entries[:split]), merkle_tree_hash(entries[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = CompactRange()
    for entry, root in VECTORS:
        tree = tree.append(leaf_hash(bytes.fromhex(entry)))
        assert tree.root().hex() == root


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_compact_range_folds_to_the_tree_hash(entries: list[bytes]) -> None:
    tree = CompactRange()
    for entry in entries:
        tree = tree.append(leaf_hash(entry))
    assert tree.size == len(entries)
    assert tree.root() == merkle_tree_hash(entries)


@pytest.mark.parametrize(("size", "hashes"), [(1, 0), (2, 2), (7, 2), (-1, 1)])
def test_a_range_with_the_wrong_number_of_subtrees_is_refused(size: int, hashes: int) -> None:
    with pytest.raises(ValueError, match="can't make a tree"):
        CompactRange(size, (b"\x00" * 32,) * hashes)
