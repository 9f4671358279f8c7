"""Binary Authorization: an image runs only with a signature of our key."""

from dataclasses import dataclass

from cdktn_provider_google.binary_authorization_attestor import (
    BinaryAuthorizationAttestor,
    BinaryAuthorizationAttestorAttestationAuthorityNote,
    BinaryAuthorizationAttestorAttestationAuthorityNotePublicKeys,
    BinaryAuthorizationAttestorAttestationAuthorityNotePublicKeysPkixPublicKey,
)
from cdktn_provider_google.binary_authorization_policy import (
    BinaryAuthorizationPolicy,
    BinaryAuthorizationPolicyDefaultAdmissionRule,
)
from cdktn_provider_google.container_analysis_note import (
    ContainerAnalysisNote,
    ContainerAnalysisNoteAttestationAuthority,
    ContainerAnalysisNoteAttestationAuthorityHint,
)
from cdktn_provider_google.container_analysis_note_iam_member import ContainerAnalysisNoteIamMember
from cdktn_provider_google.data_google_kms_crypto_key_version import DataGoogleKmsCryptoKeyVersion
from cdktn_provider_google.kms_crypto_key import KmsCryptoKey, KmsCryptoKeyVersionTemplate
from cdktn_provider_google.kms_crypto_key_iam_member import KmsCryptoKeyIamMember
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.protection import protected

_CURVE = "EC_SIGN_P256_SHA256"


@dataclass(frozen=True)
class AdmissionArgs:
    """What it needs to know: the deployment, names, the ring of keys, and who may sign."""

    deployment: Deployment
    names: GcpNames
    keys: Keys
    signer: str


class Admission(Construct):
    """The signing key, the attestor that knows it, and the policy that asks for its signature."""

    def __init__(self, scope: Construct, id_: str, args: AdmissionArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        # KMS rotates no key that signs: its public half lies with the attestor.
        self.key = KmsCryptoKey(
            self,
            "signing",
            key_ring=args.keys.ring.id,
            name="signing",
            purpose="ASYMMETRIC_SIGN",
            version_template=KmsCryptoKeyVersionTemplate(algorithm=_CURVE, protection_level="HSM"),
            **protected(args.deployment),
        )
        KmsCryptoKeyIamMember(
            self,
            "signer",
            crypto_key_id=self.key.id,
            role="roles/cloudkms.signerVerifier",
            member=args.signer,
        )
        self.attestor = self._attestor()
        BinaryAuthorizationPolicy(
            self,
            "policy",
            project=args.names.project,
            # Google's own system images are held against Google's own policy.
            global_policy_evaluation_mode="ENABLE",
            default_admission_rule=BinaryAuthorizationPolicyDefaultAdmissionRule(
                evaluation_mode="REQUIRE_ATTESTATION",
                enforcement_mode="ENFORCED_BLOCK_AND_AUDIT_LOG",
                require_attestations_by=[self.attestor.name],
            ),
        )

    def _attestor(self) -> BinaryAuthorizationAttestor:
        name = f"{self._args.names.prefix}-images"
        note = ContainerAnalysisNote(
            self,
            "note",
            name=name,
            attestation_authority=ContainerAnalysisNoteAttestationAuthority(
                hint=ContainerAnalysisNoteAttestationAuthorityHint(human_readable_name=name)
            ),
        )
        ContainerAnalysisNoteIamMember(
            self,
            "note-signer",
            note=note.name,
            role="roles/containeranalysis.notes.attacher",
            member=self._args.signer,
        )
        version = DataGoogleKmsCryptoKeyVersion(self, "version", crypto_key=self.key.id)
        public = BinaryAuthorizationAttestorAttestationAuthorityNotePublicKeysPkixPublicKey(
            public_key_pem=version.public_key.get(0).pem,
            signature_algorithm=version.public_key.get(0).algorithm,
        )
        key = BinaryAuthorizationAttestorAttestationAuthorityNotePublicKeys(
            id=f"//cloudkms.googleapis.com/v1/{version.name}", pkix_public_key=public
        )
        return BinaryAuthorizationAttestor(
            self,
            "attestor",
            name=name,
            attestation_authority_note=BinaryAuthorizationAttestorAttestationAuthorityNote(
                note_reference=note.name, public_keys=[key]
            ),
        )
