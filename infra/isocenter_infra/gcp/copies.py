"""Copies of patient data and models in the second region, filled hourly; a deletion here deletes no copy."""

from dataclasses import dataclass

from cdktn_provider_google.storage_transfer_job import (
    StorageTransferJob,
    StorageTransferJobLoggingConfig,
    StorageTransferJobSchedule,
    StorageTransferJobScheduleScheduleStartDate,
    StorageTransferJobTransferSpec,
    StorageTransferJobTransferSpecGcsDataSink,
    StorageTransferJobTransferSpecGcsDataSource,
    StorageTransferJobTransferSpecTransferOptions,
    StorageTransferJobTransferSpecTransferOptionsMetadataOptions,
)
from constructs import Construct

from isocenter_infra.gcp.access import Access
from isocenter_infra.gcp.bucket import Bucket
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.storage import Storage

_HOURLY = "3600s"


@dataclass(frozen=True)
class CopiesArgs:
    """What the copies need to know: names, the buckets, and the access that lets the service copy."""

    names: GcpNames
    storage: Storage
    access: Access


class Copies(Construct):
    """A transfer job each of the buckets that have a copy."""

    def __init__(self, scope: Construct, id_: str, args: CopiesArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for source, copy in args.storage.copies.items():
            self._job(source, copy)

    def _job(self, source: Bucket, copy: Bucket) -> None:
        StorageTransferJob(
            self,
            source.purpose,
            description=f"{self._args.names.prefix}: {source.purpose} to the second region",
            project=self._args.names.project,
            status="ENABLED",
            transfer_spec=_spec(source, copy),
            schedule=StorageTransferJobSchedule(
                # A day in the past: it starts at once.
                schedule_start_date=StorageTransferJobScheduleScheduleStartDate(year=2025, month=1, day=1),
                repeat_interval=_HOURLY,
            ),
            logging_config=StorageTransferJobLoggingConfig(
                log_actions=["COPY", "DELETE"], log_action_states=["SUCCEEDED", "FAILED"]
            ),
            depends_on=self._args.access.policies,
        )


def _spec(source: Bucket, copy: Bucket) -> StorageTransferJobTransferSpec:
    return StorageTransferJobTransferSpec(
        gcs_data_source=StorageTransferJobTransferSpecGcsDataSource(bucket_name=source.bucket.name),
        gcs_data_sink=StorageTransferJobTransferSpecGcsDataSink(bucket_name=copy.bucket.name),
        transfer_options=StorageTransferJobTransferSpecTransferOptions(
            overwrite_when="DIFFERENT",
            delete_objects_unique_in_sink=False,
            delete_objects_from_source_after_transfer=False,
            metadata_options=StorageTransferJobTransferSpecTransferOptionsMetadataOptions(
                kms_key="KMS_KEY_DESTINATION_BUCKET_DEFAULT"
            ),
        ),
    )
