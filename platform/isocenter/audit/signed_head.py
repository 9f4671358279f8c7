"""Signed tree heads: one signature over the whole trail up to a size."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isocenter.audit.signing_key import PublicKey, SigningKey
from isocenter.domain.digest import canonical_json

_PURPOSE = "isocenter-audit-head-v1"


@dataclass(frozen=True)
class SignedHead:
    """The root of the first ``tree_size`` records, signed (compare RFC 6962 section 3.5).

    Args:
        tree_size: number of records.
        root_hash: Merkle root over their canonical JSON, in hexadecimal.
        record_hash: ``hash`` of the last of them.
        at: when it was signed, RFC 3339 in UTC.
        key_id: which key signed.
        signature: Ed25519 over :meth:`message`, in hexadecimal.
    """

    tree_size: int
    root_hash: str
    record_hash: str
    at: str
    key_id: str
    signature: str

    def message(self) -> bytes:
        """What is signed: canonical JSON of all fields but the signature, with the purpose."""
        return _message(self.tree_size, self.root_hash, self.record_hash, self.at, self.key_id)

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether ``key`` made the signature."""
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return self.key_id == key.key_id and key.accepts(signature, self.message())

    def line(self) -> bytes:
        """The head as one JSON line."""
        return canonical_json(asdict(self)) + b"\n"


def sign_head(key: SigningKey, tree_size: int, root_hash: str, record_hash: str, at: str) -> SignedHead:
    """A head for these values, signed with ``key``."""
    key_id = key.public.key_id
    signature = key.sign(_message(tree_size, root_hash, record_hash, at, key_id))
    return SignedHead(tree_size, root_hash, record_hash, at, key_id, signature.hex())


def head_from_json(value: Mapping[str, Any]) -> SignedHead:
    """The head in one JSON line.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    try:
        head = SignedHead(**value)
    except TypeError as error:
        raise ValueError("not a signed head") from error
    texts = (head.root_hash, head.record_hash, head.at, head.key_id, head.signature)
    if type(head.tree_size) is not int or not all(isinstance(item, str) for item in texts):
        raise ValueError("not a signed head")
    return head


def _message(tree_size: int, root_hash: str, record_hash: str, at: str, key_id: str) -> bytes:
    return canonical_json(
        {
            "purpose": _PURPOSE,
            "tree_size": tree_size,
            "root_hash": root_hash,
            "record_hash": record_hash,
            "at": at,
            "key_id": key_id,
        }
    )
