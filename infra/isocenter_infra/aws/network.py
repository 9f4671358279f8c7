"""A network without a way to the internet: private subnets, endpoints of the services in use, flow logs."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktn_provider_aws.default_security_group import DefaultSecurityGroup
from cdktn_provider_aws.flow_log import FlowLog
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy import IamRolePolicy
from cdktn_provider_aws.route_table import RouteTable
from cdktn_provider_aws.route_table_association import RouteTableAssociation
from cdktn_provider_aws.security_group import SecurityGroup
from cdktn_provider_aws.subnet import Subnet
from cdktn_provider_aws.vpc import Vpc
from cdktn_provider_aws.vpc_endpoint import VpcEndpoint
from cdktn_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktn_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from isocenter.targets.settings import subnets
from isocenter_infra.aws.audit import LOG_DAYS
from isocenter_infra.aws.exclusive import only_policies, only_rules
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document, trusting
from isocenter_infra.deployment import Deployment

_ZONES = ("a", "b", "c")
_HTTPS = 443
_UNPRIVILEGED, _LAST, _PEERS = 1024, 65535, "Processes of one job"
# What training, serving and the platform layer call from inside.
_SERVICES = (
    "sagemaker.api",
    "sagemaker.runtime",
    "ecr.api",
    "ecr.dkr",
    "logs",
    "monitoring",
    "kms",
    "sts",
    "secretsmanager",
)
# Where ECR keeps layers of its own; pulling an image reads them.
_ECR_LAYERS = "arn:aws:s3:::prod-{region}-starport-layer-bucket/*"


@dataclass(frozen=True)
class NetworkArgs:
    """What the network needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt its logs.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys


class Network(Construct):
    """VPC, subnets in three zones, endpoints, and the security group of workloads."""

    def __init__(self, scope: Construct, id_: str, args: NetworkArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.vpc = Vpc(
            self,
            "vpc",
            cidr_block=str(args.deployment.settings.network.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": args.names.prefix},
        )
        # Without a rule: what is started without a group of its own reaches nothing.
        DefaultSecurityGroup(self, "default", vpc_id=self.vpc.id, ingress=[], egress=[])
        # No route but the endpoints' own: one that is added by hand is drift.
        self.routes = RouteTable(
            self, "routes", vpc_id=self.vpc.id, route=[], tags={"Name": args.names.prefix}
        )
        self.subnets = self._subnets()
        self._flow_logs()
        self.workloads = self._security_group("workloads", "Training, serving and pipelines")
        self._endpoints()

    def _subnets(self) -> list[Subnet]:
        args, made = self._args, []
        ranges = subnets(args.deployment.settings.network.cidr, len(_ZONES))
        for zone, cidr in zip(_ZONES, ranges, strict=True):
            subnet = Subnet(
                self,
                f"subnet-{zone}",
                vpc_id=self.vpc.id,
                cidr_block=str(cidr),
                availability_zone=f"{args.names.region}{zone}",
                map_public_ip_on_launch=False,
                tags={"Name": f"{args.names.prefix}-{zone}"},
            )
            RouteTableAssociation(self, f"routes-{zone}", subnet_id=subnet.id, route_table_id=self.routes.id)
            made.append(subnet)
        return made

    def _flow_logs(self) -> None:
        args = self._args
        group = CloudwatchLogGroup(
            self,
            "flow-log-group",
            name=f"/isocenter/{args.names.prefix}/flows",
            kms_key_id=args.keys.audit.arn,
            retention_in_days=LOG_DAYS[args.deployment.settings.retention.audit_years],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        role = IamRole(
            self,
            "flow-log-role",
            name=f"{args.names.prefix}-flows",
            assume_role_policy=trusting("vpc-flow-logs", args.names.account),
        )
        write = Statement(
            "Write",
            ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [f"{group.arn}:*"],
        )
        writing = IamRolePolicy(self, "flow-log-policy", role=role.id, policy=policy_document(write))
        only_policies(self, role, inline=[writing])
        FlowLog(
            self,
            "flow-log",
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination=group.arn,
            log_destination_type="cloud-watch-logs",
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
        )

    def _security_group(self, purpose: str, description: str) -> SecurityGroup:
        name = f"{self._args.names.prefix}-{purpose}"
        return SecurityGroup(
            self, purpose, name=name, description=description, vpc_id=self.vpc.id, tags={"Name": name}
        )

    def _endpoints(self) -> None:
        door = self._security_group("endpoints", "Private endpoints of AWS services")
        out, into = self._allow("to-endpoints", self.workloads, door)
        s3 = self._s3_endpoint()
        to_s3 = VpcSecurityGroupEgressRule(
            self,
            "to-s3",
            security_group_id=self.workloads.id,
            prefix_list_id=s3.prefix_list_id,
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            description="Buckets, by the gateway",
        )
        # Processes of one training job, on several machines, average their gradients.
        to_peers, from_peers = self._within(self.workloads)
        only_rules(self, self.workloads, ingress=[from_peers], egress=[out, to_s3, to_peers])
        only_rules(self, door, ingress=[into])
        for service in _SERVICES:
            VpcEndpoint(
                self,
                service.replace(".", "-"),
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{self._args.names.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in self.subnets],
                security_group_ids=[door.id],
                policy=policy_document(self._own_account_only()),
            )

    def _s3_endpoint(self) -> VpcEndpoint:
        names = self._args.names
        buckets = [names.bucket_arn(purpose) for purpose in ("data", "models")]
        layers = Statement("Layers", ["s3:GetObject"], [_ECR_LAYERS.format(region=names.region)], "*")
        own = Statement(
            "OwnBuckets",
            ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:AbortMultipartUpload", "s3:DeleteObject"],
            [*buckets, *(f"{arn}/*" for arn in buckets)],
            "*",
            condition={"StringEquals": {"aws:PrincipalAccount": names.account}},
        )
        return VpcEndpoint(
            self,
            "s3",
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{names.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[self.routes.id],
            policy=policy_document(own, layers),
        )

    def _own_account_only(self) -> Statement:
        """Whoever holds another account's credentials in here can't carry data out with them."""
        account = self._args.names.account
        return Statement(
            "OwnAccount",
            ["*"],
            ["*"],
            "*",
            condition={"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}},
        )

    def _allow(
        self, name: str, source: SecurityGroup, target: SecurityGroup
    ) -> tuple[VpcSecurityGroupEgressRule, VpcSecurityGroupIngressRule]:
        out = VpcSecurityGroupEgressRule(
            self,
            name,
            security_group_id=source.id,
            referenced_security_group_id=target.id,
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            description="HTTPS to the endpoints",
        )
        into = VpcSecurityGroupIngressRule(
            self,
            f"{name}-in",
            security_group_id=target.id,
            referenced_security_group_id=source.id,
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            description="HTTPS from workloads",
        )
        return out, into

    def _within(self, group: SecurityGroup) -> tuple[VpcSecurityGroupEgressRule, VpcSecurityGroupIngressRule]:
        out = VpcSecurityGroupEgressRule(
            self,
            "peers",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=_UNPRIVILEGED,
            to_port=_LAST,
            description=_PEERS,
        )
        into = VpcSecurityGroupIngressRule(
            self,
            "peers-in",
            security_group_id=group.id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=_UNPRIVILEGED,
            to_port=_LAST,
            description=_PEERS,
        )
        return out, into
