"""Settings files as people write them wrong: what is wrong, in which field, what to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.clouds.offer import CLOUDS, GPU_SIZES, cloud_offer
from isocenter.errors import InputError, NotFoundError
from isocenter.targets.settings import Cloud, DeploymentSettings, subnets
from isocenter.targets.settings_file import find_settings, read_settings

EXAMPLES = Path(__file__).parents[2] / "deployments"


def changed(place: str, value: Any, cloud: str = "aws") -> dict[str, Any]:
    """The example with one field changed; None takes it out."""
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{cloud}-example.yaml").read_text())
    *way, last = place.split(".")
    part = document
    for name in way:
        part = part[name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return document


def said(tmp_path: Path, document: dict[str, Any]) -> str:
    path = tmp_path / "deployment.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("network.cidr", "10.40.0.0/24", "cidr 10.40.0.0/24 is too small: /16 to /22"),
        ("network.cidr", "10.0.0.0/8", "cidr 10.0.0.0/8 is too large"),
        ("network.cidr", "8.8.0.0/16", "8.8.0.0/16 is no private range"),
        ("network.cidr", "10.40.0.1/16", "network.cidr"),
        ("network.peers", ["10.40.7.0/24"], "cidr 10.40.0.0/16 and peers.0 10.40.7.0/24 overlap"),
        (
            "network.kubernetes_services",
            "10.40.0.0/20",
            "cidr 10.40.0.0/16 and services 10.40.0.0/20 overlap",
        ),
        (
            "region",
            "eu-centrall-1",
            "AWS has no region 'eu-centrall-1' that Isocenter knows. Near: eu-central-1",
        ),
        ("region", "us-east-1", "region us-east-1 lies in 'us', residency is 'eu'"),
        ("aws.replica_region", "us-east-1", "aws.replica_region us-east-1 lies in 'us'"),
        ("aws.replica_region", "eu-central-1", "is the region itself"),
        ("compute.gpu", [{"size": "a100"}], "No GPU size 'a100'. Nearest: a100-"),
        ("compute.gpu", [{"size": "l4", "per_node": 3}], "l4 comes 1 or 4 or 8 to a machine, not 3"),
        (
            "compute.gpu",
            [{"size": "l4"}, {"size": "l4", "spot": True}],
            "l4 with 1 on a machine is there twice",
        ),
        ("compute.gpu", [], "compute.gpu must have at least 1 item"),
        ("compute.gpu", [{"size": "l4", "max_nodes": -1}], "compute.gpu.0.max_nodes must be greater"),
        ("prefix", "Hospital_Bucket", "prefix must match pattern"),
        ("name", "x", "name must match pattern"),
        ("aws.account", "12345", "aws.account must match pattern"),
        ("retention", {"audit_years": 5}, "retention.audit_years must be greater than or equal to 6, not 5"),
        ("github.repository", "hospital/*", "holds a wildcard: anybody's workflow could deploy"),
        ("github.repository", "isocenter", "'isocenter' is not owner/name"),
        ("github.environment", "prod*", "github.environment must match pattern"),
        ("github", None, "github is missing"),
        ("budget", None, "budget is missing"),
        ("budget.monthly", 0, "budget.monthly must be greater than 0, not 0"),
        ("retentoin", {}, "retentoin is no field here (did you mean retention?)"),
        ("network.cdir", "10.0.0.0/16", "network.cdir is no field here (did you mean cidr?)"),
        ("cloud", "gcp", "cloud is gcp: the part aws must go"),
        ("cloud", "ibm", "cloud must be 'aws', 'gcp', 'azure' or 'onprem', not 'ibm'"),
        ("owner", "nobody", "owner must match pattern"),
    ],
)
def test_each_mistake_names_its_field_and_what_would_be_right(
    tmp_path: Path, place: str, value: Any, words: str
) -> None:
    assert words in said(tmp_path, changed(place, value))


def test_a_size_that_a_cloud_lacks_names_the_nearest(tmp_path: Path) -> None:
    assert "GCP sells no GPU of size 'a10'. Nearest: l4" in said(
        tmp_path, changed("compute.gpu", [{"size": "a10"}], "gcp")
    )
    assert "Azure sells no GPU of size 'l4'. Nearest: a10" in said(
        tmp_path, changed("compute.gpu", [{"size": "l4"}], "azure")
    )


@pytest.mark.parametrize(
    ("cloud", "field", "value"),
    [
        ("aws", "prefix", "xn--a"),
        ("aws", "prefix", "sthree-a"),
        ("aws", "name", "amzn-s3-demo-a"),
        ("gcp", "prefix", "goog-a"),
        ("gcp", "name", "my-google"),
    ],
)
def test_a_prefix_that_a_cloud_reserves(tmp_path: Path, cloud: str, field: str, value: str) -> None:
    message = said(tmp_path, changed(field, value, cloud))
    assert f"{field} {value} begins the buckets' names, which may not begin with" in message
    assert message.endswith("choose another." if field == "prefix" else "write another as prefix.")
    DeploymentSettings.model_validate(changed(field, value, cloud) | {"prefix": "hospital"})


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "just words", ""])
def test_what_is_no_mapping_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"is no (YAML|mapping)"):
        read_settings(tmp_path / "x.yaml")


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: a\nnetwork:\n  cidr: 10.0.0.0/16\n  'cidr': 10.1.0.0/16\n")
    with pytest.raises(InputError, match=r"x\.yaml has the key cidr twice, in lines 3 and 4"):
        read_settings(tmp_path / "x.yaml")


def test_a_key_with_nothing_behind_it_means_its_default(tmp_path: Path) -> None:
    document = changed("network", {}) | {"retention": None, "network": None}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(document))
    assert read_settings(tmp_path / "x.yaml").retention.audit_years == 7


def test_two_deployments_with_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changed("region", "eu-west-3")))
    with pytest.raises(InputError, match="Two deployments are called 'aws-example'"):
        find_settings(tmp_path, name="aws-example")


@pytest.mark.parametrize("cloud", list(Cloud))
def test_two_deployments_whose_buckets_would_have_one_name(tmp_path: Path, cloud: str) -> None:
    one, two = changed("name", "dev", cloud), changed("name", "dev2", cloud)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(one))
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(two))
    assert find_settings(tmp_path, name="dev2").name == "two.yaml"
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(two | {"prefix": "dev"}))
    if cloud == Cloud.AZURE:
        assert find_settings(tmp_path, name="dev2").name == "two.yaml"
        return
    with pytest.raises(InputError, match=r"same names, .*one\.yaml and .*two\.yaml") as caught:
        find_settings(tmp_path, name="dev")
    assert "prefix" in caught.value.hint


def test_the_deployment_that_is_meant(tmp_path: Path) -> None:
    for name in ("aws-one", "aws-two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changed("name", name)))
    assert find_settings(tmp_path, name="aws-two").name == "aws-two.yaml"
    with pytest.raises(InputError, match=r"2 deployments .* are on aws: aws-one, aws-two") as several:
        find_settings(tmp_path, cloud="aws")
    assert "NAME=aws-one" in several.value.hint
    with pytest.raises(NotFoundError) as near:
        find_settings(tmp_path, name="aws-tow")
    assert near.value.hint == "Did you mean aws-two?"
    with pytest.raises(NotFoundError) as none:
        find_settings(tmp_path, cloud="gcp")
    assert "isocenter target init --cloud gcp" in none.value.hint


def test_an_example_gives_way_to_ones_own(tmp_path: Path) -> None:
    (tmp_path / "aws-example.yaml").write_text(yaml.safe_dump(changed("name", "aws-example")))
    assert find_settings(tmp_path, cloud="aws").name == "aws-example.yaml"
    (tmp_path / "aws-dev.yaml").write_text(yaml.safe_dump(changed("name", "aws-dev")))
    assert find_settings(tmp_path, cloud="aws").name == "aws-dev.yaml"
    assert find_settings(tmp_path, cloud="aws", name="aws-example").name == "aws-example.yaml"


@pytest.mark.parametrize(
    ("cloud", "name", "words", "hint"),
    [
        ("gcp", "aws-example", "is 'gcp', not 'aws'", "CLOUD=gcp"),
        ("aws2", "aws-example", "is 'aws2'", "aws, gcp, azure, onprem"),
        ("aws2", "", "is 'aws2'", "aws, gcp, azure, onprem"),
    ],
)
def test_a_wrong_cloud_names_its_file_and_field(
    tmp_path: Path, cloud: str, name: str, words: str, hint: str
) -> None:
    path = tmp_path / "aws-dev.yaml"
    path.write_text(yaml.safe_dump(changed("cloud", cloud)))
    with pytest.raises(InputError) as wrong:
        find_settings(tmp_path, name=name, cloud="aws")
    assert f"The field cloud of {path} {words}." in wrong.value.message
    assert hint in wrong.value.hint


@pytest.mark.parametrize("cloud", list(Cloud))
def test_init_writes_a_file_that_can_be_read_and_documents_every_field(tmp_path: Path, cloud: str) -> None:
    command = [sys.executable, "-m", "isocenter.cli.main", "target", "init", "--cloud", cloud]
    options = ["--deployments", str(tmp_path), "--name", "my-place"]
    assert subprocess.run([*command, *options], check=False).returncode == 0
    text = (tmp_path / "my-place.yaml").read_text()
    read = read_settings(find_settings(tmp_path, name="my-place"))
    assert (read.name, read.cloud) == ("my-place", cloud)
    for name, field in DeploymentSettings.model_fields.items():
        if name not in set(Cloud) - {cloud}:
            assert f"{name}:" in text
            assert not field.description or field.description in text
    again = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert again.returncode == 3
    assert "is there already" in again.stderr


@settings(max_examples=100, deadline=None)
@given(st.integers(16, 22), st.integers(0, 255), st.integers(1, 8))
def test_subnets_lie_within_the_network_and_apart(prefix: int, second: int, count: int) -> None:
    import ipaddress

    network = ipaddress.IPv4Network(f"10.{second}.0.0/{prefix}")
    made = subnets(network, count)
    assert len(made) == count
    assert all(subnet.subnet_of(network) for subnet in made)
    assert not any(one.overlaps(other) for one in made for other in made if one is not other)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_offers_known_sizes_in_regions_with_a_zone(cloud: str) -> None:
    offer = cloud_offer(cloud)
    assert set(offer.gpu) <= set(GPU_SIZES)
    assert all(offer.regions.values())
    for size in offer.gpu:
        counts = [machine.gpus for machine in offer.machines(size)]
        assert counts == sorted(set(counts))


def test_settings_are_json_too() -> None:
    """What the descriptor and the audit trail take of them must be plain."""
    read = read_settings(EXAMPLES / "aws-example.yaml")
    assert json.loads(read.model_dump_json())["network"]["cidr"] == "10.40.0.0/16"
