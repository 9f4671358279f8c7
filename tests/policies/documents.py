"""Small Terraform documents to scan."""

import json
from pathlib import Path
from typing import Any

KEY = {
    "//": {"metadata": {"path": "demo/keys/data", "source": "aws/keys.py:71", "uniqueId": "data"}},
    "deletion_window_in_days": 30,
    "enable_key_rotation": True,
    "lifecycle": {"prevent_destroy": True},
    "policy": '{"Statement": []}',
}
WEAK_KEY = {**KEY, "deletion_window_in_days": 7}


def document(**resources: dict[str, Any]) -> dict[str, Any]:
    """A document of the stack ``demo`` with these resources; a good key when there are none."""
    return {
        "//": {"metadata": {"stackName": "demo"}},
        "resource": resources or {"aws_kms_key": {"data": KEY}},
    }


def write(folder: Path, content: object, stack: str = "demo") -> Path:
    """Write a document as a synthesis does."""
    path = folder / stack / "cdk.tf.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
