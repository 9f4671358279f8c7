"""Settings files as people write them wrong: what is wrong, in which field, what to do."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.audit import AuditTrail
from isocenter.clouds.offer import CLOUDS, GPU_SIZES, cloud_offer
from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home
from isocenter.storage.database import open_database
from isocenter.targets.settings import Cloud, DeploymentSettings, subnets
from isocenter.targets.settings_file import find_settings, read_settings
from isocenter.targets.template import settings_template

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
        (
            "network.kubernetes_pods",
            "172.24.0.0/26",
            "pods 172.24.0.0/26 is too small: /8 to /21 have 256 addresses for each of eight machines",
        ),
        (
            "network.kubernetes_services",
            "172.20.0.0/32",
            "kubernetes_services 172.20.0.0/32 is too small: /16",
        ),
        (
            "network.kubernetes_services",
            "172.16.0.0/12",
            "too large: /16 to /24 are taken by each cloud",
        ),
        ("network.kubernetes_services", "172.24.0.0/20", "and kubernetes_services 172.24.0.0/20 overlap"),
        ("network.cidr", "8.8.0.0/16", "8.8.0.0/16 is no private range"),
        ("network.cidr", "10.40.0.1/16", "network.cidr must be the beginning of a range, e.g. 10.40.0.0/16"),
        (
            "network.cidr",
            "ten",
            "network.cidr must be a range of IPv4 addresses, e.g. 10.40.0.0/16, not 'ten'",
        ),
        ("network.cidr", "fd00::/16", "network.cidr must be a range of IPv4 addresses"),
        ("network.peers", "10.50.0.0/16", "network.peers must be a list, not '10.50.0.0/16'"),
        ("network", ["10.40.0.0/16"], "network must be a mapping of fields, not a list"),
        ("network.peers", ["10.40.7.0/24"], "cidr 10.40.0.0/16 and peers.0 10.40.7.0/24 overlap"),
        (
            "network.kubernetes_services",
            "10.40.0.0/20",
            "cidr 10.40.0.0/16 and kubernetes_services 10.40.0.0/20 overlap: give one another range",
        ),
        (
            "region",
            "eu-centrall-1",
            "region: AWS has no region 'eu-centrall-1' that Isocenter knows. Near: eu-central-1",
        ),
        (
            "region",
            "EU-CENTRAL-1",
            "region: AWS has no region 'EU-CENTRAL-1' that Isocenter knows. Near: eu-central-1",
        ),
        ("region", None, "region is missing: AWS has eu-central-1, "),
        ("residency", "", "residency must be one word, e.g. eu"),
        ("region", "us-east-1", "region us-east-1 lies in 'us', residency is 'eu'"),
        ("aws.replica_region", "us-east-1", "aws.replica_region us-east-1 lies in 'us'"),
        ("aws.replica_region", "eu-central-1", "is the region itself"),
        (
            "compute.gpu",
            [{"size": "l4"}, {"size": "a100"}],
            "compute.gpu.1.size: No GPU size 'a100'. Nearest: a100-40, a100-80",
        ),
        ("compute.gpu", "l4", "compute.gpu must be a list, not 'l4'"),
        ("compute.kubernetes", "maybe", "compute.kubernetes must be true or false, not 'maybe'"),
        (
            "compute.gpu",
            [{"size": "l4", "per_node": 3}],
            "compute.gpu.0.per_node: l4 comes 1 or 4 or 8 to a machine, not 3",
        ),
        (
            "compute.gpu",
            [{"size": "l4"}, {"size": "l4", "spot": True}],
            "l4 with 1 on a machine is there twice",
        ),
        ("compute.gpu", [], "wrong: compute.gpu must have at least 1 item."),
        ("compute.gpu", [{"size": "l4", "max_nodes": -1}], "compute.gpu.0.max_nodes must be greater"),
        ("prefix", "Hospital_Bucket", "prefix must be 3 to 22 lower-case letters, digits and hyphens"),
        ("prefix", "st-mary-", "no hyphen last"),
        ("name", "x", "name must be 3 to 20 lower-case letters, digits and hyphens"),
        ("name", "aws-dev\n", "name must be 3 to 20"),
        ("name", 123, "name must be text, not 123: write it in quotes"),
        ("name", ["a", "b"], "name must be text, not a list"),
        ("cost_centre", 4711, "cost_centre must be text, not 4711: write it in quotes"),
        ("cost_centre", "a b", "cost_centre must be 1 to 32 letters, digits, hyphens and underscores"),
        (
            "aws.account",
            "12345",
            "aws.account must be the account's 12 digits, in quotes, e.g. '123456789012'",
        ),
        (
            "retention",
            {"audit_years": 5},
            "retention.audit_years must be 6 or more, the legal minimum"
            " (HIPAA, 45 CFR 164.316(b)(2)(i): six years), not 5",
        ),
        ("retention", {"audit_years": 11}, "retention.audit_years must be less than or equal to 10, not 11"),
        ("github.repository", "hospital/*", "holds a wildcard: anybody's workflow could deploy"),
        ("github.repository", "isocenter", "github.repository must be owner/name as GitHub shows it"),
        ("github.repository", "https://github.com/a/b", "without an address, e.g. hospital/imaging"),
        ("github.environment", "prod*", "a wildcard would let every environment deploy, not 'prod*'"),
        ("github", None, "github is missing"),
        ("budget", None, "budget is missing"),
        (
            "budget.alert_percent",
            [50, -5],
            "budget.alert_percent.1 must be greater than or equal to 1, not -5",
        ),
        ("budget.monthly", 0, "budget.monthly must be greater than 0, not 0"),
        ("retentoin", {}, "retentoin is no field here (did you mean retention?)"),
        ("network.cdir", "10.0.0.0/16", "network.cdir is no field here (did you mean cidr?)"),
        ("cloud", "gcp", "cloud is gcp: the part aws must go"),
        ("cloud", "ibm", "cloud must be 'aws', 'gcp', 'azure' or 'onprem', not 'ibm'"),
        ("retention", {"audit_years": True}, "retention.audit_years must be a whole number, not True"),
        ("budget.monthly", "5000", "not '5000': write it in plain digits, without quotes"),
        ("budget.monthly", 7.5, "budget.monthly must be a whole number, not 7.5"),
        ("name", "local", "name: 'local' is taken: it names the target that is this machine"),
        ("name", "aws-emulated", "names that end in -emulated are those of emulated targets"),
        (
            "owner",
            "${filebase64('/etc/hostname')}@h.example",
            "owner: ${ begins an expression of Terraform, which settings can't hold: take it out",
        ),
        ("security_contact", "%{if true}a%{endif}@h.example", "security_contact: %{ begins an expression"),
        ("network.peers", ["${x}"], "network.peers: ${ begins an expression"),
        ("owner", "nobody", "owner must be an e-mail address, e.g. imaging-platform@hospital.example"),
        ("endpoints", [{"name": "X_ray"}], "endpoints.0.name must be 2 to 31 lower-case letters"),
        (
            "endpoints",
            [{"name": "xray"}, {"name": "lung"}, {"name": "xray"}],
            "endpoints has 2 of the name xray: give each a name of its own",
        ),
        (
            "endpoints",
            [{"name": "xray", "min_instances": 5}],
            "max_instances 4 is below min_instances 5",
        ),
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


@pytest.mark.parametrize(
    ("cloud", "place", "value", "words"),
    [
        ("gcp", "gcp.project", "My Project", "gcp.project must be the project's id: 6 to 30 lower-case"),
        (
            "gcp",
            "gcp.project_number",
            "12",
            "gcp.project_number must be a number of 6 to 14 digits, in quotes",
        ),
        ("gcp", "gcp.billing_account", "abc", "e.g. 01AB23-45CD67-89EF01, not 'abc'"),
        ("gcp", "gcp.operators", "all", "gcp.operators must be user: or group: and an address"),
        ("azure", "azure.tenant", "mine", "azure.tenant must be 32 digits or letters a to f in five groups"),
        ("azure", "azure.runner_subnet", "default", "azure.runner_subnet must be a subnet's whole id"),
        ("onprem", "onprem.namespace", "My_NS", "onprem.namespace must be 1 to 63 lower-case letters"),
        ("onprem", "onprem.namespace", "kube-system", "kube-system is a namespace of Kubernetes itself"),
        ("onprem", "onprem.namespace", "default", "default is a namespace of Kubernetes itself"),
        ("onprem", "onprem.registry", "a/${timestamp()}", "onprem.registry: ${ begins an expression"),
        ("onprem", "endpoints", [{"name": "xray"}] * 2, "endpoints has 2 of the name xray"),
        ("onprem", "onprem.storage_class", "", "onprem.storage_class must be a name as Kubernetes has them"),
        ("onprem", "onprem.registry", "https://x", "onprem.registry must be host/path without https://"),
        ("onprem", "onprem.object_store", "http://x", "onprem.object_store must be https:// and the S3"),
        ("onprem", "onprem.auditors", "a b", "onprem.auditors must be a group's name without spaces"),
        ("onprem", "onprem.auditors", "system:authenticated", "is a group of Kubernetes itself"),
    ],
)
def test_a_form_is_said_in_words(tmp_path: Path, cloud: str, place: str, value: str, words: str) -> None:
    assert words in said(tmp_path, changed(place, value, cloud))


def test_no_field_of_a_settings_file_is_refused_by_a_pattern_that_nobody_can_read() -> None:
    def patterns(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        for inner in schema.values() if isinstance(schema, dict) else schema:
            if isinstance(inner, dict | list):
                yield from patterns(inner)

    assert [*patterns(DeploymentSettings.model_json_schema())] == []


@pytest.mark.parametrize("field", ["object_store", "database_secret"])
def test_a_password_in_the_wrong_field_is_not_repeated(tmp_path: Path, field: str) -> None:
    document = changed(f"onprem.{field}", "https://me:s3cr3t@host/db", "onprem")
    assert "s3cr3t" not in said(tmp_path, document)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "is no mapping of fields, but a list"),
        ("just words", "is no mapping of fields, but one value"),
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("a: [", "is no YAML: line 1, column 5: expected the node content"),
        ("a:\n\tb: 1\n", "is no YAML: line 2, column 1: a tab; indent by spaces"),
        (
            "a: 1\n---\nb: 2\n",
            "line 2, column 1: expected a single document in the stream, but found another",
        ),
        ("a: !!python/object/apply:os.system [id]\n", "could not determine a constructor for the tag"),
        ("[" * 20_000, "is nested too deeply"),
        ("a: 2024-13-45\n", "holds what is no value: month must be in 1..12"),
        (f"a: {'9' * 5000}\n", "holds what is no value"),
        (b"\x00\x01\x02", "holds the character #x0000, which no text has"),
        (b"\xff\xd8\xff\xe0", "is no text in UTF-8 (byte 0)"),
        ("name: a\n".encode("utf-16"), "is no text in UTF-8 (byte 0)"),
        (b"#" * (1 << 20) + b"#", "is over 1048576 bytes"),
    ],
)
def test_what_is_no_settings_file_is_said(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (EXAMPLES / "aws-example.yaml").read_bytes())
    assert read_settings(path).name == "aws-example"


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "nothing.yaml").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, words in {
        "folder": "is a folder, not a settings file",
        "loop": "can't be read: Too many levels of symbolic links",
        "nothing": "is a link to nothing",
        "pipe": "is no file that can be read to its end",
        "absent": "isn't there",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            read_settings(tmp_path / f"{name}.yaml")
        assert f"{name}.yaml" in caught.value.message
        assert caught.value.hint


def test_a_key_that_is_no_text(tmp_path: Path) -> None:
    assert "True is no field here" in said(tmp_path, {**changed("region", "eu-west-1"), True: 1})


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: a\nnetwork:\n  cidr: 10.0.0.0/16\n  'cidr': 10.1.0.0/16\n")
    with pytest.raises(InputError, match=r"x\.yaml has the key cidr twice, in lines 3 and 4"):
        read_settings(tmp_path / "x.yaml")


def test_a_key_with_nothing_behind_it_means_its_default(tmp_path: Path) -> None:
    document = changed("network", {}) | {"retention": None, "network": None}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(document))
    assert read_settings(tmp_path / "x.yaml").retention.audit_years == 7


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("retension", "retension is no field here (did you mean retention?)"),
        ("network.cdir", "network.cdir is no field here (did you mean cidr?)"),
        ("foo_bar", "foo_bar is no field here (there are: "),
    ],
)
def test_an_unknown_key_with_nothing_behind_it(tmp_path: Path, place: str, words: str) -> None:
    document = changed(place, "")
    *way, last = place.split(".")
    (document[way[0]] if way else document)[last] = None
    assert words in said(tmp_path, document)


@pytest.mark.parametrize("written", ["010", "0x0a", "1_0", "0b1010", "0:10"])
def test_a_number_in_another_base_is_none(tmp_path: Path, written: str) -> None:
    text = yaml.safe_dump(changed("budget.monthly", 4242))
    (tmp_path / "x.yaml").write_text(text.replace("4242", written))
    with pytest.raises(InputError, match=rf"budget\.monthly must be a whole number, not '{written}'"):
        read_settings(tmp_path / "x.yaml")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Wrong by itself, in a list, and against another field."""
    document = changed("compute.gpu", [{"size": "a100"}, {"size": "l4", "per_node": 3}, {"size": "h10"}])
    document |= {
        "owner": "nobody",
        "region": "mars",
        "github": None,
        "endpoints": [{"name": "x"}, {"nam": 1}],
    }
    document["network"] = {"cidr": "10.0.0.0/8", "kubernetes_pods": "172.24.0.0/26"}
    document["aws"]["replica_region"] = "us-east-1"
    message = said(tmp_path, document)
    for words in (
        "compute.gpu.0.size: No GPU size 'a100'",
        "compute.gpu.1.per_node: l4 comes 1 or 4 or 8",
        "compute.gpu.2.size: No GPU size 'h10'",
        "owner must be an e-mail address",
        "region: AWS has no region 'mars'",
        "github is missing",
        "endpoints.0.name must be",
        "endpoints.1.name is missing",
        "endpoints.1.nam is no field here (did you mean name?)",
        "cidr 10.0.0.0/8 is too large",
        "kubernetes_pods 172.24.0.0/26 is too small",
        "aws.replica_region us-east-1 lies in 'us', residency is 'eu'",
    ):
        assert words in message


def init(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "isocenter.cli.main", "target", "init", *words]
    command += ["--deployments", str(tmp_path / "deployments")]
    environ = os.environ | {"ISOCENTER_HOME": str(tmp_path / "store")}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["local", "gcp-emulated"])
def test_init_refuses_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    done = init(tmp_path, "--cloud", "gcp", "--name", name)
    assert done.returncode == 3
    assert f"'{name}' can't name a deployment: " in done.stderr
    assert not (tmp_path / "deployments").exists()


def test_init_is_recorded_however_it_ends(tmp_path: Path) -> None:
    for _ in range(2):
        init(tmp_path, "--cloud", "gcp", "--name", "gcp-dev")
    init(tmp_path, "--cloud", "gcp", "--name", "local")
    home = Home(tmp_path / "store")
    database = open_database(home)
    records = AuditTrail(home, database).list()
    database.close()
    assert [(each.action, each.object, each.outcome, each.details) for each in reversed(records)] == [
        ("target.init", "deployment:gcp-dev", "success", "{}"),
        ("target.init", "deployment:gcp-dev", "failure", '{"error":"bad-input"}'),
        ("target.init", "cloud:gcp", "failure", '{"error":"bad-input"}'),
    ]


@pytest.mark.parametrize("cloud", list(Cloud))
def test_what_the_template_comments_out_can_be_taken_in(tmp_path: Path, cloud: Cloud) -> None:
    """A line, or a whole part of lines, whose marks are taken off is right; all of them are too."""
    text = settings_template(cloud, "my-place")
    path = tmp_path / "my-place.yaml"
    given = text
    for _ in range(2):  # a default within a part that is commented as a whole is commented twice
        given = re.sub(r"(?m)^(\s*)# (\s*(?:- )?\w+:)", r"\1\2", given)
    path.write_text(given)
    read = read_settings(path)
    assert [endpoint.name for endpoint in read.endpoints] == ["chest-xray"]
    assert (read.budget is not None, read.github is not None) == (True, True)
    assert not re.search(r"(?m)^\s*#\s*\w+:", given)
    blocks = re.findall(r"(?m)^# \w+:.*\n(?:^#  .*\n)+", text)
    assert len(blocks) == (3 if cloud == Cloud.ONPREM else 1)
    for block in blocks:
        path.write_text(text.replace(block, re.sub(r"(?m)^# ", "", block)))
        read_settings(path)


def test_two_deployments_with_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changed("region", "eu-west-3")))
    with pytest.raises(InputError, match="Two deployments are called 'aws-example'"):
        find_settings(tmp_path, name="aws-example")


@pytest.mark.parametrize("name", [["a"], {"a": 1}, 5, None])
def test_a_name_that_is_none_stops_its_own_deployment_only(tmp_path: Path, name: Any) -> None:
    for file in ("one", "two"):
        document = changed("name", name, "gcp") if name is not None else changed("name", None, "gcp")
        (tmp_path / f"{file}.yaml").write_text(yaml.safe_dump(document | {"prefix": file + "-x"}))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(changed("name", "aws-dev")))
    assert find_settings(tmp_path, cloud="aws").name == "mine.yaml"
    (tmp_path / "two.yaml").unlink()
    with pytest.raises(InputError, match=r"one\.yaml is wrong: name (must be text|is missing)"):
        read_settings(find_settings(tmp_path, cloud="gcp"))


def beside_a_broken_one(tmp_path: Path, text: str) -> Path:
    (tmp_path / "aws-dev.yaml").write_text(yaml.safe_dump(changed("name", "aws-dev")))
    (tmp_path / "broken.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("text", ["", "a: [", "cloud: aws\nx: 1\nx: 2\n", "cloud: gcp\n\tx: 1\n"])
def test_a_broken_file_stops_no_other_deployment(tmp_path: Path, text: str) -> None:
    folder, heard = beside_a_broken_one(tmp_path, text), list[str]()
    assert find_settings(folder, name="aws-dev", cloud="aws", notice=heard.append).name == "aws-dev.yaml"
    (sentence,) = heard
    assert f"{folder / 'broken.yaml'} can't be read, so its names weren't compared: " in sentence
    with pytest.raises(InputError, match=r"broken\.yaml (is|has)"):
        find_settings(folder, name="broken", cloud="aws")


def test_a_broken_file_that_may_be_meant_is_not_passed_over(tmp_path: Path) -> None:
    for text in ("", "cloud: aws\nx: ["):
        with pytest.raises(InputError, match=r"broken\.yaml can't be read, and may be on aws too") as caught:
            find_settings(beside_a_broken_one(tmp_path, text), cloud="aws")
        assert "NAME=aws-dev" in caught.value.hint
    folder = beside_a_broken_one(tmp_path, "cloud: gcp  # ours\nx: [")
    assert find_settings(folder, cloud="aws").name == "aws-dev.yaml"
    with pytest.raises(InputError, match=r"broken\.yaml is no YAML: line 2"):
        find_settings(folder, cloud="gcp")


def test_hospitals_that_share_a_store_have_prefixes_of_their_own(tmp_path: Path) -> None:
    stores = {"ward-a": "s3://imaging/isocenter", "ward-b": "s3://imaging/isocenter/"}
    for name, store in stores.items():
        document = changed("onprem.object_store", store, "onprem") | {"name": name}
        document["onprem"]["namespace"] = name
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))
    assert find_settings(tmp_path, name="ward-b").name == "ward-b.yaml"
    (tmp_path / "ward-b.yaml").write_text(yaml.safe_dump(document | {"prefix": "ward-a"}))
    with pytest.raises(
        InputError, match=r"prefix 'ward-a' in s3://imaging/isocenter: .*a\.yaml and .*b\.yaml"
    ):
        find_settings(tmp_path, name="ward-b")


def test_two_deployments_in_one_namespace(tmp_path: Path) -> None:
    for name in ("ward-a", "ward-b"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(changed("name", name, "onprem")))
    words = r"the namespace isocenter of the cluster hospital-imaging: .*a\.yaml and .*b\.yaml"
    with pytest.raises(InputError, match=words) as caught:
        find_settings(tmp_path, name="ward-b")
    assert "onprem.namespace" in caught.value.hint
    (tmp_path / "ward-b.yaml").write_text(
        yaml.safe_dump(changed("onprem.context", "another-cluster", "onprem") | {"name": "ward-b"})
    )
    assert find_settings(tmp_path, name="ward-b").name == "ward-b.yaml"


@pytest.mark.parametrize("cloud", list(Cloud))
def test_two_deployments_whose_buckets_would_have_one_name(tmp_path: Path, cloud: str) -> None:
    one, two = changed("name", "dev", cloud), changed("name", "dev2", cloud)
    two |= {"onprem": two["onprem"] | {"namespace": "dev2"}} if cloud == Cloud.ONPREM else {}
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
    assert init(tmp_path, "--cloud", cloud, "--name", "my-place").returncode == 0
    text = (tmp_path / "deployments" / "my-place.yaml").read_text()
    read = read_settings(find_settings(tmp_path / "deployments", name="my-place"))
    assert (read.name, read.cloud) == ("my-place", cloud)
    for name, field in DeploymentSettings.model_fields.items():
        if name not in set(Cloud) - {cloud}:
            assert f"{name}:" in text
            assert not field.description or field.description in text
    again = init(tmp_path, "--cloud", cloud, "--name", "my-place")
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
