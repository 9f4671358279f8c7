"""A Pub/Sub topic for notices of a Google service: encrypted, kept in the region."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn_provider_google.pubsub_topic import PubsubTopic, PubsubTopicMessageStoragePolicy
from cdktn_provider_google.pubsub_topic_iam_member import PubsubTopicIamMember
from constructs import Construct

from isocenter_infra.gcp.key import Key
from isocenter_infra.gcp.names import GcpNames


@dataclass(frozen=True)
class TopicArgs:
    """What one topic needs to know: names, what it is for, its key, and who may publish to it."""

    names: GcpNames
    purpose: str
    key: Key
    publishers: Sequence[str] = ()


class Topic(Construct):
    """The topic and its publishers; ``ready`` is what to wait for before anything is sent to it."""

    def __init__(self, scope: Construct, id_: str, args: TopicArgs) -> None:
        super().__init__(scope, id_)
        self.topic = PubsubTopic(
            self,
            "topic",
            name=f"{args.names.prefix}-{args.purpose}",
            kms_key_name=args.key.key_id,
            message_storage_policy=PubsubTopicMessageStoragePolicy(
                allowed_persistence_regions=[args.names.region], enforce_in_transit=True
            ),
            message_retention_duration="604800s",
            depends_on=args.key.ready,
        )
        self.ready = [
            self.let_publish(f"publisher-{number}", member) for number, member in enumerate(args.publishers)
        ]

    def let_publish(self, id_: str, member: str) -> PubsubTopicIamMember:
        """Let ``member`` publish."""
        return PubsubTopicIamMember(
            self, id_, topic=self.topic.id, role="roles/pubsub.publisher", member=member
        )
