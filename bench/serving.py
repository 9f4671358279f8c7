"""DICOM in, score out: requests per second and latency beside FastAPI with eager torch, and LitServe.

    python bench/serving.py [--seconds 10] [--rounds 3] [--clients 1,8,64] [--install] [--json]

DenseNet121 at 224 x 224, the same bundle, files and reader everywhere; answers are compared. The files are
real X-rays in three scanners' encodings, 512 x 512 (``shared/``; without it, invented ones). ``--install``
makes ``.bench-venv-serving`` for LitServe (by uv); without it LitServe is left out, and that is said. In each
round each server is started, asked by 1, 8 and 64 clients, and ended; the numbers are the medians of the
rounds. ``keeping`` is ours again, with the features of each image captured. Also printed: the time from start
to the first answer, and the share of reading in a request's time, for these files and for one of 2048 x 2048
in JPEG-LS.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
PEER_VENV = ROOT / ".bench-venv-serving"
SHARED = ROOT.parent / "shared"
SIZE = 224
WANTED = {"eager": 3.0, "litserve": 1.5}
MOST_FOR_FEATURES = 1.05
TOLERANCE = 1e-4
_FILES = 24


@dataclass(frozen=True)
class Server:
    """How one is started and asked."""

    name: str
    python: Path
    words: tuple[str, ...]
    health: str
    predict: str
    form: str


@dataclass(frozen=True)
class Measured:
    """Medians over the rounds."""

    server: str
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float


def install_peers() -> None:
    uv, python = Path(sys.executable).with_name("uv"), PEER_VENV / "bin" / "python"
    make = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, PEER_VENV]
    subprocess.run(make, check=True)
    links = ["--find-links", os.environ["PIP_FIND_LINKS"]] if os.environ.get("PIP_FIND_LINKS") else []
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *links]
    own = [word for project in ("platform", "training") for word in ("--editable", ROOT / project)]
    subprocess.run([*install, "--constraint", ROOT / "constraints.txt", "litserve", *own], check=True)


def servers() -> Iterator[Server]:
    here = Path(sys.executable)
    serve = ("-m", "isocenter_serving", "serve", "--access", "fronted:sagemaker", "--host", "127.0.0.1")
    yield Server("ours", here, serve, "/readyz", "/v1/predict", "body")
    yield Server("keeping", here, serve, "/readyz", "/v1/predict", "body")
    yield Server("eager", here, (str(FOLDER / "serving_eager.py"),), "/health", "/predict", "body")
    peer = PEER_VENV / "bin" / "python"
    if peer.exists():
        words = (str(FOLDER / "serving_litserve.py"),)
        yield Server("litserve", peer, words, "/health", "/predict", "upload")
    else:
        print("NOT MEASURED: litserve is not installed; --install makes .bench-venv-serving", file=sys.stderr)


def make_bundle(folder: Path, images: "np.ndarray[Any, Any]") -> Path:
    """A DenseNet121 whose normalisation knows the images; untrained otherwise: speed is the same."""
    import torch
    from safetensors.torch import save_file

    from isocenter.domain.training_plan import load_plan, parse_plan
    from isocenter_training.bundle.onnx_export import export_onnx
    from isocenter_training.networks import build_network

    plan = parse_plan(load_plan("densenet121").model_dump(mode="json") | {"image_size": SIZE})
    torch.manual_seed(0)
    network = build_network(plan)
    network.train()
    with torch.no_grad():
        for _ in range(10):
            network(torch.from_numpy(images)[:, None])
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "models" / "model.onnx").write_bytes(export_onnx(network, SIZE))
    save_file(network.state_dict(), folder / "models" / "model.safetensors")
    (folder / "configs" / "plan.json").write_text(plan.model_dump_json())
    (folder / "configs" / "preprocessing.json").write_text(json.dumps({"image_size": SIZE}))
    decision = {"temperature": 1.0, "threshold": 0.5, "rule": "none"}
    (folder / "configs" / "decision.json").write_text(json.dumps(decision))
    # Without bounds, so that no image is unlike it: each is described and judged, and has a score.
    profile = {"images": len(images), "attributes": {}, "image_statistics": {}}
    (folder / "reference_profile.json").write_text(json.dumps(profile))
    return folder


def make_files(folder: Path, count: int, size: int) -> list[Path]:
    """Real X-rays as DICOM where they are at hand, else noise."""
    archive, convert = SHARED / "data/cxr/chest_xray_224_train.tar", SHARED / "bin/cxr_to_dicom.py"
    if archive.exists():
        options = ["--count", str(count), "--size", str(size)]
        subprocess.run([sys.executable, convert, archive, folder, *options], check=True, capture_output=True)
        return sorted((folder / "dicom").glob("*.dcm"))
    print("The shared X-rays are not here; the files are noise.", file=sys.stderr)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    return [_noise(folder / f"{number}.dcm", rng.integers(0, 4096, (size, size))) for number in range(count)]


def _noise(path: Path, pixels: "np.ndarray[Any, Any]") -> Path:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    image.SOPInstanceUID = generate_uid()
    image.Rows, image.Columns = pixels.shape
    image.PhotometricInterpretation, image.SamplesPerPixel, image.PixelRepresentation = "MONOCHROME2", 1, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = pixels.astype(np.uint16).tobytes()
    image.save_as(path, enforce_file_format=True)
    return path


@contextlib.contextmanager
def running(server: Server, bundle: Path, port: int) -> Iterator[float]:
    """A server that answers; yields the seconds from its start until then."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as spool:
        own = [str(bundle), str(port)]
        if server.name in ("ours", "keeping"):
            own = ["--bundle", str(bundle), "--port", str(port)]
        if server.name == "keeping":
            own += ["--capture-dir", spool]
        process = subprocess.Popen(
            [server.python, *server.words, *own], stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not _answers(f"http://127.0.0.1:{port}{server.health}"):
                if process.poll() is not None or time.perf_counter() - began > 120:
                    log.seek(0)
                    sys.exit(f"{server.name} does not start:\n{log.read().decode()}")
                time.sleep(0.02)
            yield time.perf_counter() - began
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def ask(server: Server, port: int, clients: int, seconds: float, files: Sequence[Path]) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}{server.predict}"
    words = [FOLDER / "serving_load.py", url, server.form, clients, seconds, *files]
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{server.name} with {clients} clients: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(
    options: argparse.Namespace, bundle: Path, files: Sequence[Path]
) -> tuple[list[Measured], Mapping[str, float], float]:
    """Rates and latencies; seconds from start to ready; the largest difference of two servers' scores."""
    clients = [int(each) for each in options.clients.split(",")]
    rates: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    starts: dict[str, list[float]] = {}
    scores: dict[str, list[float]] = {}
    asked = list(servers())
    for number in range(options.rounds):
        # Another order in each round, so that nobody always has the quiet moments.
        for server in asked[number % len(asked) :] + asked[: number % len(asked)]:
            port = 18400 + number * len(asked) + asked.index(server)
            with running(server, bundle, port) as start:
                starts.setdefault(server.name, []).append(start)
                first = ask(server, port, 2, max(3.0, options.seconds / 2), files)["scores"]
                for count in clients:
                    found = ask(server, port, count, options.seconds, files)
                    taken = sorted(found["seconds"])
                    row = (len(taken) / options.seconds, _at(taken, 0.5), _at(taken, 0.99))
                    rates.setdefault((server.name, count), []).append(row)
                    for file, several in found["scores"].items():
                        first.setdefault(file, []).extend(several)
            for file, several in first.items():
                scores.setdefault(file, []).extend(several)
    measured = [
        Measured(name, count, *(statistics.median(row[column] for row in rows) for column in range(3)))
        for (name, count), rows in sorted(rates.items(), key=lambda each: each[0][1])
    ]
    differ = max(max(several) - min(several) for several in scores.values())
    return measured, {name: statistics.median(each) for name, each in starts.items()}, differ


def _at(taken: Sequence[float], share: float) -> float:
    return taken[min(len(taken) - 1, int(share * len(taken)))] * 1000 if taken else float("nan")


def reading_share(bundle: Path, files: Sequence[Path]) -> tuple[float, float]:
    """Milliseconds of reading a file's bytes to a tile, and of the network, one thread each."""
    from isocenter_serving.predictor import Predictor

    predictor = Predictor(bundle, threads=1)
    reading, network = [], []
    for data in [path.read_bytes() for path in files]:
        began = time.perf_counter()
        tile = predictor.decode(data)
        read = time.perf_counter()
        predictor.score(np.asarray(tile)[None])
        reading.append((read - began) * 1000)
        network.append((time.perf_counter() - read) * 1000)
    return statistics.median(reading), statistics.median(network)


def print_table(measured: Sequence[Measured], starts: Mapping[str, float], differ: float) -> list[str]:
    """Print all, and return what was missed."""
    missed = []
    ours = {each.clients: each for each in measured if each.server == "ours"}
    print(f"{'clients':>7} {'server':<9} {'req/s':>7} {'p50 ms':>8} {'p99 ms':>8}   ours in req/s   wanted")
    for each in measured:
        ratio = ours[each.clients].per_second / each.per_second
        line = (
            f"{each.clients:>7} {each.server:<9} {each.per_second:7.2f} {each.p50_ms:8.0f} {each.p99_ms:8.0f}"
        )
        if each.server == "keeping":
            print(line + f"   {ratio:12.2f}x   at most {MOST_FOR_FEATURES}x")
            if ratio > MOST_FOR_FEATURES:
                missed.append(f"keeping features with {each.clients} clients ({ratio:.2f}x)")
            continue
        wanted = WANTED.get(each.server)
        print(line + (f"   {ratio:12.2f}x   {wanted}x" if wanted else ""))
        if wanted and (ratio < wanted or ours[each.clients].p99_ms > each.p99_ms):
            missed.append(f"{each.server} with {each.clients} clients ({ratio:.2f}x)")
    print("from start to ready, s: " + ", ".join(f"{name} {each:.1f}" for name, each in starts.items()))
    print(f"largest difference of two scores of a file: {differ:.1e} (at most {TOLERANCE:.0e})")
    if differ > TOLERANCE:
        missed.append("answers differ")
    return missed


def main() -> None:
    """Measure and print; fail where a ratio was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--install", action="store_true", help="make .bench-venv-serving first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.install:
        install_peers()
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-") as name:
        folder = Path(name)
        files = make_files(folder / "files", _FILES, 512)
        from isocenter.imaging import prepare, read_radiograph, to_unit

        tiles = np.stack([to_unit(prepare(read_radiograph(path).pixels, SIZE)) for path in files[:8]])
        bundle = make_bundle(folder / "bundle", tiles)
        measured, starts, differ = measure(options, bundle, files)
        shares = {"512": reading_share(bundle, files), "2048 JPEG-LS": reading_share(bundle, large(folder))}
        shutil.rmtree(bundle)
    if options.json:
        rows = [asdict(each) for each in measured]
        print(json.dumps({"measured": rows, "starts": starts, "differ": differ, "shares": shares}, indent=2))
        return
    missed = print_table(measured, starts, differ)
    for what, (reading, network) in shares.items():
        share = reading / (reading + network)
        print(
            f"{what}: {reading:.1f} ms from bytes to tensor, {network:.1f} ms network ({share:.0%} reading)"
        )
    if missed:
        sys.exit("Missed: " + "; ".join(missed))


def large(folder: Path) -> list[Path]:
    """2048 x 2048 in JPEG-LS."""
    from pydicom import dcmread
    from pydicom.uid import JPEGLSLossless

    found = []
    for path in make_files(folder / "large", 6, 2048):
        image = dcmread(path)
        if image.file_meta.TransferSyntaxUID != JPEGLSLossless:
            if image.file_meta.TransferSyntaxUID.is_compressed:
                image.decompress()
            image.compress(JPEGLSLossless)
            image.save_as(path)
        found.append(path)
    return found


if __name__ == "__main__":
    main()
