"""A Workbench notebook in the private subnet: no public address, no root, no download."""

from dataclasses import dataclass

from cdktn_provider_google.service_account_iam_member import ServiceAccountIamMember
from cdktn_provider_google.workbench_instance import (
    WorkbenchInstance,
    WorkbenchInstanceGceSetup,
    WorkbenchInstanceGceSetupBootDisk,
    WorkbenchInstanceGceSetupDataDisks,
    WorkbenchInstanceGceSetupNetworkInterfaces,
    WorkbenchInstanceGceSetupServiceAccounts,
    WorkbenchInstanceGceSetupShieldedInstanceConfig,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.network import Network

# GPUs are for jobs, which end; a notebook is left running.
_MACHINE = "n2-standard-8"
_BOOT_GB, _DATA_GB = "150", "200"
_METADATA = {
    "notebook-disable-root": "true",
    "notebook-disable-downloads": "true",
    "notebook-disable-nbconvert": "true",
    "notebook-upgrade-schedule": "0 3 * * 6",
    "idle-timeout-seconds": "3600",
    "serial-port-enable": "false",
    "enable-oslogin": "true",
}


@dataclass(frozen=True)
class NotebookArgs:
    """What the notebook needs to know: the deployment, names, keys, network, and whose account it has."""

    deployment: Deployment
    names: GcpNames
    keys: Keys
    network: Network
    identity: Identity


class Notebook(Construct):
    """The instance; it stops when idle, and its data disk stays."""

    def __init__(self, scope: Construct, id_: str, args: NotebookArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        training = args.identity.accounts["training"]
        # Who may use the account may open the notebook; who makes it must be able to hand it on.
        members = {"operators": args.names.operators, "deploy": args.identity.accounts["ci-deploy"].member}
        for name, member in members.items():
            ServiceAccountIamMember(
                self,
                name,
                service_account_id=training.name,
                role="roles/iam.serviceAccountUser",
                member=member,
            )
        WorkbenchInstance(
            self,
            "instance",
            name=f"{args.names.prefix}-notebook",
            location=args.names.zone,
            disable_proxy_access=False,
            enable_deletion_protection=args.deployment.protect,
            gce_setup=self._setup(training.email),
            depends_on=args.keys.data.ready,
        )

    def _setup(self, account: str) -> WorkbenchInstanceGceSetup:
        network, key = self._args.network, self._args.keys.data.key_id
        return WorkbenchInstanceGceSetup(
            machine_type=_MACHINE,
            disable_public_ip=True,
            enable_ip_forwarding=False,
            network_interfaces=[
                WorkbenchInstanceGceSetupNetworkInterfaces(network=network.vpc.id, subnet=network.subnet.id)
            ],
            service_accounts=[WorkbenchInstanceGceSetupServiceAccounts(email=account)],
            boot_disk=WorkbenchInstanceGceSetupBootDisk(
                disk_encryption="CMEK", kms_key=key, disk_size_gb=_BOOT_GB, disk_type="PD_BALANCED"
            ),
            data_disks=WorkbenchInstanceGceSetupDataDisks(
                disk_encryption="CMEK", kms_key=key, disk_size_gb=_DATA_GB, disk_type="PD_BALANCED"
            ),
            shielded_instance_config=WorkbenchInstanceGceSetupShieldedInstanceConfig(
                enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
            ),
            metadata=_METADATA,
        )
