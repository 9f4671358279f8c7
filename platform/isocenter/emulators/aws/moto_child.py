"""``python -m isocenter.emulators.aws.moto_child PORT``: moto's server, until standard input is closed.

The emulator holds the other end: when it ends or is killed, so does this.
"""

import math
import os
import re
import sys
import threading
from typing import Any


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _teach_percentiles() -> None:
    """moto's CloudWatch knows sums and means only; SageMaker's latency is asked for by percentile."""
    from moto.cloudwatch.models import Statistics

    known = Statistics.get_statistics_for_type

    def statistic(self: Any, stat: str) -> Any:
        found = re.fullmatch(r"p(\d+(?:\.\d+)?)", stat)
        if found is None:
            return known(self, stat)
        values = sorted(self.metric_single_values_list)
        return values[math.ceil(len(values) * float(found[1]) / 100) - 1] if values else None

    Statistics.get_statistics_for_type = statistic  # type: ignore[method-assign]


def main() -> None:
    """Serve."""
    from moto.server import main as serve

    _teach_percentiles()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(["-H", "127.0.0.1", "-p", sys.argv[1]])


if __name__ == "__main__":
    main()
