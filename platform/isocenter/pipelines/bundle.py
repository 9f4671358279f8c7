"""The bundle that gets registered: training's files and the papers that belong to them.

A function of what it is made of: no moments, no run ids, no paths. The same data, plan, seed, code and card
give the same digest in every store.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FROM_EVALUATION = {
    "evaluation.json": "evaluation.json",
    "report.html": "report.html",
    "decision.json": "configs/decision.json",
}


def compose_bundle(
    folder: Path, *, model: Path, evaluation: Path, lineage: Mapping[str, Any], card: Mapping[str, str]
) -> None:
    """Fill ``folder`` with the files of the bundle.

    Args:
        folder: an empty directory.
        model: training's files.
        evaluation: the evaluation's files.
        lineage: becomes ``lineage.json``.
        card: file name -> content of the model card's files.
    """
    for path in sorted(model.rglob("*")):
        if path.is_file():
            _copy(path, folder / path.relative_to(model))
    for source, target in _FROM_EVALUATION.items():
        _copy(evaluation / source, folder / target)
    text = json.dumps(lineage, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "lineage.json").write_text(text + "\n", encoding="utf-8")
    for name, content in card.items():
        (folder / name).write_text(content, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
