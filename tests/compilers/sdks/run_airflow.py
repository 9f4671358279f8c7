"""Run by .venv-airflow: Airflow itself reads a DAG file and runs the DAG to its end, here.

Arguments: the folder of DAGs (one file), the DAG's id, its params as JSON; without params it is only read.
Prints what Airflow made of the file, and each task's state, tries and end, as JSON.
"""

import json
import logging
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag


def read(folder, dag_id):
    bag = DagBag(folder)
    if bag.import_errors:
        raise SystemExit(str(bag.import_errors))
    return bag.dags[dag_id]


def described(task):
    return {
        "needs": sorted(task.upstream_task_ids),
        "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
        "retries": task.retries,
        "wait_s": int(task.retry_delay.total_seconds()),
        "factor": float(task.retry_exponential_backoff or 0),
        "timeout_s": None if task.execution_timeout is None else int(task.execution_timeout.total_seconds()),
        "key": task.doc_md,
    }


def main():
    logging.disable(logging.INFO)
    folder, dag_id, *params = sys.argv[1:]
    dag = read(Path(folder), dag_id)
    found = {"tasks": {task.task_id: described(task) for task in dag.topological_sort()}}
    found["params"] = {name: dag.params.get_param(name).value for name in dag.params}
    if params:
        ended = dag.test(run_conf=json.loads(params[0]))
        found["state"] = str(ended.state)
        found["states"] = {t.task_id: [str(t.state), t.try_number] for t in ended.get_task_instances()}
    print()
    print(json.dumps(found))


main()
