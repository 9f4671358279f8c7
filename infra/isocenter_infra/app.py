"""The CDKTF app that ``cdktf.json`` names: synthesizes each deployment in ``deployments/``."""

import os
import sys
from functools import partial
from pathlib import Path

from isocenter.targets.settings_file import find_settings, read_settings
from isocenter_infra.deployment import Deployment
from isocenter_infra.synthesis import synthesize


def main() -> None:
    """Synthesize the deployment ``$ISOCENTER_DEPLOYMENT`` into the current folder's ``cdktf.out``."""
    folder = Path(os.environ.get("ISOCENTER_DEPLOYMENTS", "../deployments"))
    notice = partial(print, file=sys.stderr)
    name = os.environ.get("ISOCENTER_DEPLOYMENT", "")
    settings = read_settings(find_settings(folder, name=name, notice=notice))
    synthesis = synthesize(Deployment(settings), notice)
    print(synthesis.write(Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out"))))


if __name__ == "__main__":
    main()
