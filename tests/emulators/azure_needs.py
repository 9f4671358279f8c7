"""What tests against the emulated Azure need of this machine; said loudly where it is missing."""

import shutil

import pytest

LACKS = "LACKS: "


def needs_azure() -> None:
    """Skip unless azure-ai-ml, node and npm are there."""
    pytest.importorskip("azure.ai.ml", reason=f"{LACKS}azure-ai-ml; pip install 'isocenter[azure]'")
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{LACKS}{' and '.join(missing)}, for the emulated Azure's storage; apt-get install npm")
