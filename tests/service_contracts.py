"""How each training service starts the container: one job on each, to test the program and its image.

Each function makes what the service makes: files, environment, arguments. Where the program runs in an
image, folders are mounted where the service mounts them; where it runs as a process of this machine, the
variables for emulators say where they are.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

RUN = "01JCZZZZZZZZZZZZZZZZZZZZZZ"
BUCKET = "isocenter-test"
SERVICES = ("local", "sagemaker", "vertex", "azureml", "kubernetes")
# Two processes: the program's own companions under a service, or torchrun's.
PROCESSES = 2
PARAMETERS: Mapping[str, Any] = {
    "plan": {
        "name": "tiny",
        "image_size": 32,
        "network": {"name": "resnet10", "arguments": {"widen_factor": 0.125, "conv1_t_stride": 2}},
        "augmentation": [{"name": "affine", "arguments": {"rotation": 5, "shift": 0.05}}],
        "optimizer": {"name": "adamw", "learning_rate": 0.005, "average_decay": 0.8},
        "budget": {"epochs": 24, "batch_size": 8 * PROCESSES, "patience": 24},
    },
    "threads": PROCESSES,
}
# A container's host name may be known to nobody, so torchrun and gloo are told where they are.
TORCHRUN = (
    *("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"),
    *("--nproc-per-node", str(PROCESSES)),
)
TORCHRUN_ENVIRONMENT = {"GLOO_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True)
class Start:
    """One service's way to start the job.

    Args:
        arguments: of the image's entry point.
        environment: that the service sets.
        model: copies the model here and returns its folder, as whoever takes it from the service would.
        mounts: path in a container -> folder here.
        reason: file in which the service looks for why a job failed.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    model: Callable[[], Path]
    mounts: Mapping[str, Path] = field(default_factory=dict)
    reason: Path | None = None


@dataclass(frozen=True)
class Job:
    """What every service is given.

    Args:
        root: folder of the job's own.
        dataset: directory of the dataset.
        parameters: of the job.
        in_image: whether the program runs in an image.
        s3: address of an S3 service with the bucket, for Kubernetes.
        gcs: address of a Cloud Storage service with the bucket, for Vertex AI.
    """

    root: Path
    dataset: Path
    parameters: Mapping[str, Any]
    in_image: bool = False
    s3: str = ""
    gcs: str = ""

    def on(self, service: str) -> Start:
        """The job as ``service`` starts it."""
        make = {
            "local": _local,
            "sagemaker": _sagemaker,
            "vertex": _vertex,
            "azureml": _azureml,
            "kubernetes": _kubernetes,
        }
        self.root.mkdir(parents=True, exist_ok=True)
        start = make[service](self)
        for path in (self.root, *self.root.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)  # as services do: the container's user is not root
        return replace(start, mounts={str(self.root): self.root, **start.mounts})

    @property
    def json(self) -> str:
        return json.dumps(dict(self.parameters))

    def folder(self, *names: str) -> Path:
        path = self.root.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def copy_of_dataset(self, folder: Path) -> Path:
        shutil.copytree(self.dataset, folder, dirs_exist_ok=True)
        return folder


def _local(job: Job) -> Start:
    environment = {
        "ISOCENTER_RUN_ID": RUN,
        "ISOCENTER_PARAMETERS": job.json,
        "ISOCENTER_INPUT_DATASET": str(job.copy_of_dataset(job.root / "dataset")),
        **{f"ISOCENTER_{kind}_DIR": str(job.folder(kind)) for kind in ("MODEL", "OUTPUT", "CHECKPOINT")},
    }
    return Start(("train",), environment, lambda: job.root / "MODEL")


def _sagemaker(job: Job) -> Start:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html"""
    tree = job.folder("ml")
    for name in ("input/config", "input/data", "model", "output/data", "checkpoints"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    job.copy_of_dataset(tree / "input" / "data" / "dataset")
    contents = {
        "hyperparameters": {"run_id": RUN, "parameters": job.json},
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "network_interface_name": "eth0",
        },
        "inputdataconfig": {"dataset": {"TrainingInputMode": "File"}},
    }
    for name, value in contents.items():
        (tree / "input" / "config" / f"{name}.json").write_text(json.dumps(value))
    environment = {"TRAINING_JOB_NAME": RUN.lower()}
    if not job.in_image:
        environment["ISOCENTER_SAGEMAKER_ROOT"] = str(tree)
    return Start(
        ("train",), environment, lambda: tree / "model", {"/opt/ml": tree}, tree / "output" / "failure"
    )


def _vertex(job: Job) -> Start:
    """https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables"""
    base = f"gs://{BUCKET}/{job.root.name}"
    mount = job.folder("gcs", BUCKET)
    job.copy_of_dataset(mount / "dataset")
    environment = {
        "CLOUD_ML_JOB_ID": "1",
        "AIP_MODEL_DIR": f"{base}/model/",
        "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
        "CLUSTER_SPEC": json.dumps(
            {
                "cluster": {"workerpool0": ["cmle-training-workerpool0-0:2222"]},
                "environment": "cloud",
                "task": {"type": "workerpool0", "index": 0},
            }
        ),
        "STORAGE_EMULATOR_HOST": job.gcs,
    }
    if not job.in_image:
        environment["ISOCENTER_GCS_ROOT"] = str(mount.parent)
    arguments = ("--run-id", RUN, "--parameters", job.json, "--input", f"dataset=gs://{BUCKET}/dataset")
    return Start(
        ("train", *arguments, "--output", f"{base}/output"),
        environment,
        lambda: _download("gs", f"{base}/model", job, {"endpoint_url": job.gcs, "token": "anon"}),
        {f"/gcs/{BUCKET}": mount},
    )


def _azureml(job: Job) -> Start:
    """https://learn.microsoft.com/azure/machine-learning/how-to-read-write-data-v2"""
    places = {kind: str(job.folder("wd", kind)) for kind in ("model", "output", "checkpoints")}
    arguments = ["train", "--run-id", RUN, "--parameters", job.json]
    arguments += ["--input", f"dataset={job.copy_of_dataset(job.root / 'wd' / 'INPUT_dataset')}"]
    arguments += [word for kind, place in places.items() for word in (f"--{kind}", place)]
    environment = {"AZUREML_RUN_ID": "calm_fig_1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    return Start(tuple(arguments), environment, lambda: Path(places["model"]))


def _kubernetes(job: Job) -> Start:
    base = f"s3://{BUCKET}/{job.root.name}"
    options = {"endpoint_url": job.s3, "key": "test", "secret": "test"}
    if not _files("s3", options).exists(f"{base}/dataset"):
        _files("s3", options).put(str(job.dataset), f"{base}/dataset", recursive=True)
    environment = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "JOB_COMPLETION_INDEX": "0",
        "ISOCENTER_TERMINATION_LOG": str(job.root / "termination-log"),
        "ISOCENTER_RUN_ID": RUN,
        "ISOCENTER_PARAMETERS": job.json,
        "ISOCENTER_INPUT_DATASET": f"{base}/dataset",
        "ISOCENTER_MODEL_DIR": f"{base}/model",
        "ISOCENTER_OUTPUT_DIR": f"{base}/output",
        "ISOCENTER_CHECKPOINT_DIR": f"{base}/checkpoints",
        "AWS_ENDPOINT_URL": job.s3,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return Start(
        ("train",),
        environment,
        lambda: _download("s3", f"{base}/model", job, options),
        reason=job.root / "termination-log",
    )


def _files(scheme: str, options: Mapping[str, Any]) -> Any:
    import fsspec
    from gcsfs.core import GCSFileSystem

    kind = GCSFileSystem if scheme == "gs" else fsspec.get_filesystem_class(scheme)
    return kind(skip_instance_cache=True, use_listings_cache=False, **options)


def _download(scheme: str, uri: str, job: Job, options: Mapping[str, Any]) -> Path:
    folder = job.root / "fetched"
    shutil.rmtree(folder, ignore_errors=True)
    files = _files(scheme, options)
    root = files._strip_protocol(uri)
    for found in files.find(root):
        path = folder / found.removeprefix(root).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(found, str(path))
    return folder


def dicom_dataset(root: Path) -> Path:
    """A small DICOM set, ingested as users do; the dataset's directory."""
    from isocenter.datasets import ingest
    from isocenter.home import open_home

    demo = ("demo", "--out", str(root / "demo"), "--patients", "40", "--size", "64")
    subprocess.run([sys.executable, "-m", "isocenter.cli.main", *demo], check=True, capture_output=True)
    classes = ("normal", "pneumonia")
    source, labels = root / "demo" / "dicom", root / "demo" / "labels.csv"
    result = ingest(open_home(root / "store"), source, labels=labels, classes=classes, image_size=32)
    return result.path


def wait_for_step(process: "subprocess.Popen[str]", step: int) -> None:
    """Returns when the program has reported this step; raises if it ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{") and json.loads(line).get("done", 0) >= step:
            return
    raise AssertionError(f"The program ended before step {step}: {process.communicate()[1]}")


@contextmanager
def s3_service() -> Iterator[str]:
    """An S3 service (moto) with the bucket; its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield address
    finally:
        server.stop()


@contextmanager
def gcs_service(folder: Path) -> Iterator[str]:
    """A Cloud Storage service with the bucket; its address."""
    from isocenter.emulators.gcp.storage import EmulatedStorage

    storage = EmulatedStorage(folder, (BUCKET,))
    storage.start()
    try:
        yield storage.address
    finally:
        storage.close()
