"""The Merkle tree of RFC 6962 section 2.1, kept as a compact range: what an append needs and no more."""

import hashlib
from dataclasses import dataclass

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf that holds ``entry``."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the node over two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True)
class CompactRange:
    """A tree's perfect subtrees from left to right: one for each 1 in the binary form of its size.

    Args:
        size: number of leaves.
        hashes: root of each perfect subtree, the largest (leftmost) first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a number of subtrees that the size can't have."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"{len(self.hashes)} subtrees can't make a tree of {self.size} leaves")

    def append(self, leaf: bytes) -> "CompactRange":
        """The tree with one more leaf (its hash): merges as many subtrees as the size ends in 1 bits."""
        hashes, node, size = list(self.hashes), leaf, self.size
        while size & 1:
            node = node_hash(hashes.pop(), node)
            size >>= 1
        return CompactRange(self.size + 1, (*hashes, node))

    def root(self) -> bytes:
        """The Merkle tree hash; that of the empty string for an empty tree."""
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root
