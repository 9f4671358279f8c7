"""How the fields of a settings file are written: a pattern for us, words and an example for its owner."""

import re
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

# 45 CFR 164.316(b)(2)(i): six years from creation or the last effective date.
LEAST_AUDIT_YEARS = 6
NAME = r"[a-z][a-z0-9-]{1,18}[a-z0-9]"
NAME_WORDS = (
    "3 to 20 lower-case letters, digits and hyphens, a letter first and no hyphen last, e.g. aws-prod"
)
_PRIVATE = [IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_ADDRESS = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_GITHUB = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _form(pattern: str, words: str) -> AfterValidator:
    """Refuses a text that isn't wholly ``pattern``, saying that it must be ``words``."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise _must_be(words)
        return text

    return AfterValidator(check)


def _must_be(words: str) -> PydanticCustomError:
    return PydanticCustomError("form", "should be {words}", {"words": words})


def reserved_name(name: str) -> str:
    """Why ``name`` can't name a deployment though it has the form of a name; empty: it can."""
    if name == "local":
        return "it names the target that is this machine"
    if name.endswith("-emulated"):
        return "names that end in -emulated are those of emulated targets"
    return ""


def _is_free(name: str) -> str:
    why = reserved_name(name)
    if why:
        raise ValueError(f"{name!r} is taken: {why}; choose another")
    return name


Name = Annotated[str, _form(NAME, NAME_WORDS), AfterValidator(_is_free)]
# As YAML's and Python's readers are lax, not also true, 7.0 or '7'.
Count = Annotated[int, Field(strict=True)]
TargetName = Annotated[
    str, _form(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 lower-case letters, digits and hyphens")
]
Prefix = Annotated[
    str,
    _form(
        r"([a-z][a-z0-9-]{1,20}[a-z0-9])?",
        "3 to 22 lower-case letters, digits and hyphens, a letter first and no hyphen last, since buckets are"
        " called by it, e.g. st-mary-imaging",
    ),
]
EndpointName = Annotated[
    str,
    _form(
        r"[a-z][a-z0-9-]{1,30}",
        "2 to 31 lower-case letters, digits and hyphens, a letter first, e.g. chest-xray",
    ),
]
Zone = Annotated[str, _form(r"\S+", "one word, e.g. eu, or a hospital's name on-premises")]
Email = Annotated[str, _form(_ADDRESS, "an e-mail address, e.g. imaging-platform@hospital.example")]
CostCentre = Annotated[
    str, _form(r"[A-Za-z0-9_-]{1,32}", "1 to 32 letters, digits, hyphens and underscores, e.g. '4711'")
]
GithubName = Annotated[
    str,
    _form(
        _GITHUB,
        "letters, digits, dots, hyphens and underscores, e.g. production; a wildcard would let every"
        " environment deploy",
    ),
]


def _is_exact(repository: str) -> str:
    if any(character in repository for character in "*?"):
        raise ValueError(
            f"{repository!r} holds a wildcard: anybody's workflow could deploy; name one repository"
        )
    return repository


Repository = Annotated[
    str,
    AfterValidator(_is_exact),
    _form(f"{_GITHUB}/{_GITHUB}", "owner/name as GitHub shows it, without an address, e.g. hospital/imaging"),
]
AwsAccount = Annotated[str, _form(r"[0-9]{12}", "the account's 12 digits, in quotes, e.g. '123456789012'")]
GcpProject = Annotated[
    str,
    _form(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "the project's id: 6 to 30 lower-case letters, digits and hyphens, a letter first, e.g. imaging-prod",
    ),
]
GcpNumber = Annotated[
    str, _form(r"[0-9]{6,14}", "a number of 6 to 14 digits, in quotes, e.g. '123456789012'")
]
BillingAccount = Annotated[
    str,
    _form(
        r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}",
        "three groups of six digits or letters A to F, e.g. 01AB23-45CD67-89EF01",
    ),
]
# A person or group of Google's, as its access policies name them.
Principal = Annotated[
    str,
    _form(
        rf"((user|group):{_ADDRESS})?", "user: or group: and an address, e.g. group:imaging@hospital.example"
    ),
]
Guid = Annotated[
    str,
    _form(_GUID, "32 digits or letters a to f in five groups, e.g. 0a1b2c3d-0000-4000-8000-0123456789ab"),
]
AzureSubnet = Annotated[
    str,
    _form(
        r"(/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+"
        r"/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+)?",
        "a subnet's whole id, /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Network"
        "/virtualNetworks/NETWORK/subnets/SUBNET: az network vnet subnet show --query id prints it",
    ),
]


def _is_own_namespace(namespace: str) -> str:
    if namespace == "default" or namespace.startswith("kube-"):
        raise ValueError(
            f"{namespace} is a namespace of Kubernetes itself, whose workloads the deny-by-default policies"
            " would cut off: name one of its own, e.g. isocenter"
        )
    return namespace


Namespace = Annotated[
    str,
    _form(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "1 to 63 lower-case letters, digits and hyphens, no hyphen first or last, e.g. isocenter",
    ),
    AfterValidator(_is_own_namespace),
]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
KubernetesName = Annotated[
    str,
    _form(
        r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "a name as Kubernetes has them: lower-case letters, digits, hyphens and dots, e.g. object-store",
    ),
]
Registry = Annotated[
    str,
    _form(
        r"[^\s/:@]+(:[0-9]+)?(/[^\s/:@]+)*",
        "host/path without https://, e.g. registry.hospital.example/imaging",
    ),
]
ObjectStore = Annotated[
    str,
    _form(
        r"(https|s3)://[^\s/@][^\s@]*",
        "https:// and the S3 service's address, or s3:// and a bucket; no key in it, e.g."
        " https://objects.hospital.example",
    ),
]


def _is_own_group(group: str) -> str:
    if group.startswith("system:"):
        raise ValueError(
            f"{group} is a group of Kubernetes itself: far more than the people meant are in it;"
            " name one of the identity provider's"
        )
    return group


Group = Annotated[
    str, _form(r"\S+", "a group's name without spaces, e.g. imaging-auditors"), AfterValidator(_is_own_group)
]


def _network(value: Any) -> IPv4Network:
    try:
        return IPv4Network(value if isinstance(value, str | IPv4Network) else str(value))
    except (AddressValueError, NetmaskValueError) as error:
        raise _must_be("a range of IPv4 addresses, e.g. 10.40.0.0/16") from error
    except ValueError as error:  # an address within a range
        whole = IPv4Network(value, strict=False)
        raise _must_be(f"the beginning of a range, e.g. {whole}") from error


def _is_private(network: IPv4Network) -> IPv4Network:
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(
            f"{network} is no private range (RFC 1918 or RFC 6598): take one within"
            f" {', '.join(map(str, _PRIVATE))}"
        )
    return network


Network = Annotated[IPv4Network, BeforeValidator(_network)]
Range = Annotated[Network, AfterValidator(_is_private)]


def _is_lawful(years: int) -> int:
    if years < LEAST_AUDIT_YEARS:
        raise _must_be(
            f"{LEAST_AUDIT_YEARS} or more, the legal minimum (HIPAA, 45 CFR 164.316(b)(2)(i): six years)"
        )
    return years


AuditYears = Annotated[Count, AfterValidator(_is_lawful)]
