"""The CDKTF app that ``cdktf.json`` names: synthesizes each deployment in ``deployments/``."""

import os
import sys
from pathlib import Path

from isocenter.targets.settings_file import find_settings, read_settings
from isocenter_infra.deployment import Deployment
from isocenter_infra.synthesis import synthesize


def main() -> None:
    """Synthesize the deployment ``$ISOCENTER_DEPLOYMENT`` into the current folder's ``cdktf.out``."""
    folder = Path(os.environ.get("ISOCENTER_DEPLOYMENTS", "../deployments"))
    settings = read_settings(find_settings(folder, name=os.environ.get("ISOCENTER_DEPLOYMENT", "")))
    synthesis = synthesize(Deployment(settings), lambda sentence: print(sentence, file=sys.stderr))
    print(synthesis.write(Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out"))))


if __name__ == "__main__":
    main()
