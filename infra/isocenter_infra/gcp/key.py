"""One key as every key must be: in an HSM, rotated, slow to die, kept from deletion."""

from dataclasses import dataclass

from cdktn_provider_google.kms_crypto_key import KmsCryptoKey, KmsCryptoKeyVersionTemplate
from cdktn_provider_google.kms_crypto_key_iam_member import KmsCryptoKeyIamMember
from cdktn_provider_google.kms_key_ring import KmsKeyRing
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.protection import protected

_DAY_S = 86_400
_ROTATION_DAYS = 90
_REGRET_DAYS = 90


@dataclass(frozen=True)
class KeyArgs:
    """What one key needs to know.

    Args:
        deployment: it belongs to.
        ring: that holds it.
        name: within the ring.
        users: who may encrypt and decrypt with it, as members by name.
    """

    deployment: Deployment
    ring: KmsKeyRing
    name: str
    users: dict[str, str]


class Key(Construct):
    """A key and those who may use it; ``ready`` is what to wait for before it is used."""

    def __init__(self, scope: Construct, id_: str, args: KeyArgs) -> None:
        super().__init__(scope, id_)
        self.key = KmsCryptoKey(
            self,
            "key",
            key_ring=args.ring.id,
            name=args.name,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=f"{_ROTATION_DAYS * _DAY_S}s",
            destroy_scheduled_duration=f"{_REGRET_DAYS * _DAY_S}s",
            version_template=KmsCryptoKeyVersionTemplate(
                algorithm="GOOGLE_SYMMETRIC_ENCRYPTION", protection_level="HSM"
            ),
            **protected(args.deployment),
        )
        self.ready = [
            KmsCryptoKeyIamMember(
                self,
                name,
                crypto_key_id=self.key.id,
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=member,
            )
            for name, member in args.users.items()
        ]

    @property
    def key_id(self) -> str:
        """Its id, as other resources name it."""
        return str(self.key.id)
