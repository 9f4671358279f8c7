"""Where the program is, from the environment."""

from pathlib import Path

import pytest

from isocenter.errors import InputError
from isocenter_training.contract import RunContext, detect


def environment(root: Path) -> dict[str, str]:
    return {
        "ISOCENTER_RUN_ID": "01J",
        "ISOCENTER_INPUT_DATASET": str(root),
        "ISOCENTER_PARAMETERS": '{"plan": {"name": "Übung"}}',
        "ISOCENTER_MODEL_DIR": str(root / "model"),
        "ISOCENTER_OUTPUT_DIR": str(root / "output"),
        "ISOCENTER_CHECKPOINT_DIR": str(root / "a" / "checkpoint"),
    }


def test_local_variables_become_the_context(tmp_path: Path) -> None:
    context = detect(environment(tmp_path))
    assert context == RunContext(
        run_id="01J",
        inputs={"dataset": tmp_path},
        parameters={"plan": {"name": "Übung"}},
        model_dir=tmp_path / "model",
        output_dir=tmp_path / "output",
        checkpoint_dir=tmp_path / "a" / "checkpoint",
    )
    assert context.checkpoint_dir.is_dir()


def test_torchrun_variables_become_ranks(tmp_path: Path) -> None:
    launcher = {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "4",
        "MASTER_ADDR": "host",
        "MASTER_PORT": "29500",
    }
    context = detect(environment(tmp_path) | launcher)
    assert (context.rank, context.local_rank, context.world_size) == (3, 1, 4)
    assert (context.master_addr, context.master_port) == ("host", 29500)


def test_environment_of_a_context_makes_it_again(tmp_path: Path) -> None:
    context = detect(
        environment(tmp_path) | {"RANK": "1", "WORLD_SIZE": "2", "ISOCENTER_RENDEZVOUS": "/tmp/meet"}
    )
    assert detect(context.environment()) == context


def test_absent_channel_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'model'.*channels given: dataset") as caught:
        detect(environment(tmp_path)).input("model")
    assert "ISOCENTER_INPUT_MODEL" in caught.value.hint
