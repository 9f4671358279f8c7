"""MONAI itself reads the bundle and runs it on a DICOM file."""

from pathlib import Path
from typing import Any

import monai.bundle
import pytest
import torch
from monai.bundle import ConfigParser

from isocenter.imaging import prepare, read_radiograph, to_unit
from isocenter_training.bundle import load_network


def open_config(bundle: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    parser.read_meta(bundle / "configs" / "metadata.json")
    parser["bundle_root"] = str(bundle)
    return parser


def test_network_takes_and_gives_what_the_metadata_says(trained: Any) -> None:
    configs = trained.model / "configs"
    monai.bundle.verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        device="cpu",
        bundle_root=str(trained.model),
    )


def test_inference_config_scores_a_dicom_file_as_the_reader_and_network_do(
    trained: Any, shared_data: Path
) -> None:
    source = shared_data / "dicom" / "highdicom_dx_thorax.dcm"
    parser = open_config(trained.model)
    parser["files"] = [str(source)]
    with torch.inference_mode():
        (logit,) = parser.get_parsed_content("logits")
        image = torch.from_numpy(to_unit(prepare(read_radiograph(source).pixels, 32)))[None, None]
        expected = float(load_network(trained.model)(image))
    assert logit == pytest.approx(expected, abs=1e-5)
