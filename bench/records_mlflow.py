"""Time MLflow's ``create_model_version`` on SQLite; JSON. Started by ``bench/records.py``: FOLDER RUNS."""

import json
import statistics
import sys
import time
from pathlib import Path

from mlflow.tracking import MlflowClient

folder, runs = Path(sys.argv[1]), int(sys.argv[2])
begin = time.perf_counter()
client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
client.create_registered_model("bench")
spent = []
for number in range(runs + 1):
    client.create_model_version("bench", source=str(folder / f"bundle-{number}"))
    now = time.perf_counter()
    spent.append((now - begin) * 1e3)
    begin = now
later = sorted(spent[1:])
print(
    json.dumps({"first": spent[0], "median": statistics.median(later), "p95": later[int(len(later) * 0.95)]})
)
