"""Written by `isocenter pipeline compile --format airflow`. Put it into Airflow's DAG folder.

Needs Airflow 3 and the program `isocenter` on the workers' PATH (or the variable ISOCENTER in their environment),
with the same ISOCENTER_HOME everywhere. Steps whose inputs were seen before are not done again: the store knows.
"""

import json
import os
import shlex
import subprocess
from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow 3.0
    from airflow.exceptions import AirflowFailException

# What may pass: a job that failed (5), a fault of the environment (7). A bad input (3), a model that the gate
# refused (4), a changed file (6) and a rule (8) would come out the same.
TRY_AGAIN = (5, 7)
LAST_WORDS = 2000

REQUEST = json.loads('{"acceptance": {"rules": [{"max": null, "metric": "auroc", "min": 0.8, "slice": null, "statistic": "value"}, {"max": null, "metric": "auroc", "min": 0.65, "slice": null, "statistic": "low"}, {"max": null, "metric": "sensitivity", "min": 0.5, "slice": null, "statistic": "value"}, {"max": null, "metric": "specificity", "min": 0.5, "slice": null, "statistic": "value"}, {"max": 0.25, "metric": "brier", "min": null, "slice": null, "statistic": "value"}, {"max": null, "metric": "auroc", "min": 0.6, "slice": {"attribute": "sex", "value": null}, "statistic": "value"}, {"max": null, "metric": "auroc", "min": 0.6, "slice": {"attribute": "scanner", "value": null}, "statistic": "value"}], "schema_version": 1}, "card": {}, "classes": ["normal", "pneumonia"], "compute": {"gpu": "l4", "gpu_count": 1, "max_runtime_s": 7200, "nodes": 1, "spot": false}, "image": null, "name": "chest-xray", "plan": {"augmentation": [{"arguments": {"rotation": 8, "scale": 0.1, "shift": 0.05, "stretch": 0.05}, "name": "affine"}, {"arguments": {"strength": 0.5}, "name": "gamma"}], "budget": {"batch_size": 16, "epochs": 30, "patience": 12, "target_auroc": null}, "description": "A narrow residual network at 128 x 128; trains in a minute on two CPU cores.", "image_size": 128, "loss": {"arguments": {"label_smoothing": 0.05}, "name": "cross_entropy"}, "name": "small", "network": {"arguments": {"conv1_t_stride": 2, "widen_factor": 0.5}, "name": "resnet10"}, "normalisation": "standardise", "optimizer": {"average_decay": 0.98, "learning_rate": 0.002, "name": "adamw", "weight_decay": 0.05}, "precision": "auto", "schedule": {"name": "one_cycle", "warmup_fraction": 0.2}, "seed": 0, "task": {"classes": null, "kind": "binary"}, "trainer": null}, "processes": null, "threads": 1, "threshold_rule": "youden"}')

STEPS = [{'name': 'ingest',
  'needs': [],
  'trigger_rule': 'all_success',
  'retries': 1,
  'wait_s': 30,
  'factor': 2.0,
  'timeout_s': None,
  'key': 'sha256:ae7ce4efc4f4a6b09499883caa95432ed83234bde36dc25330dafa295f259916',
  'command': ['isocenter', 'pipeline', 'step', 'ingest', '--request=-', '--target=aws-test']},
 {'name': 'validate',
  'needs': ['ingest'],
  'trigger_rule': 'all_success',
  'retries': 0,
  'wait_s': 30,
  'factor': 2.0,
  'timeout_s': None,
  'key': 'sha256:724aebec0ea62a81ea9adc8e306fc2e6e46f4aecea1e2a22f3b261dc4e389e45',
  'command': ['isocenter', 'pipeline', 'step', 'validate', '--request=-', '--target=aws-test']},
 {'name': 'train',
  'needs': ['ingest', 'validate'],
  'trigger_rule': 'all_success',
  'retries': 2,
  'wait_s': 60,
  'factor': 2.0,
  'timeout_s': 7200,
  'key': 'sha256:10c110c9b062f7a0edad23cabeecf508463807e05a378f9aec13ef408ca3a249',
  'command': ['isocenter', 'pipeline', 'step', 'train', '--request=-', '--target=aws-test']},
 {'name': 'evaluate',
  'needs': ['ingest', 'train'],
  'trigger_rule': 'all_success',
  'retries': 2,
  'wait_s': 60,
  'factor': 2.0,
  'timeout_s': 7200,
  'key': 'sha256:fc6f3fc8aa4b999258836f3d5b0bdd3e57e2e58cd92d2d713aa046160e2e2204',
  'command': ['isocenter', 'pipeline', 'step', 'evaluate', '--request=-', '--target=aws-test']},
 {'name': 'gate',
  'needs': ['evaluate'],
  'trigger_rule': 'all_success',
  'retries': 0,
  'wait_s': 30,
  'factor': 2.0,
  'timeout_s': 1800,
  'key': 'sha256:c1fbbf82e3eea7502f4ccdde2c952d5ae9edc19167fdf7ed66d00c7f620f5d62',
  'command': ['isocenter', 'pipeline', 'step', 'gate', '--request=-', '--target=aws-test']},
 {'name': 'register',
  'needs': ['train', 'evaluate', 'gate'],
  'trigger_rule': 'all_success',
  'retries': 2,
  'wait_s': 30,
  'factor': 2.0,
  'timeout_s': 1800,
  'key': 'sha256:06087087b03e714846288a07e63336bbfe091a0c75b7a989b98fd755289fbf37',
  'command': ['isocenter', 'pipeline', 'step', 'register', '--request=-', '--target=aws-test']}]


def run_step(step):
    """Do one step; its messages go to the task's log."""
    params = get_current_context()["params"]
    request = {**REQUEST, "source": params["source"], "labels": params["labels"] or None}
    program = shlex.split(os.environ.get("ISOCENTER", step["command"][0]))
    done = subprocess.run(
        [*program, *step["command"][1:]],
        input=json.dumps(request),
        env={**os.environ, "ISOCENTER_STEP_KEY": step["key"]},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    print(done.stdout, flush=True)
    if done.returncode == 0:
        return
    message = f"{step['name']} ended with exit code {done.returncode}: {done.stdout.strip()[-LAST_WORDS:]}"
    raise (RuntimeError if done.returncode in TRY_AGAIN else AirflowFailException)(message)


with DAG(
    dag_id='isocenter-chest-xray',
    description='From DICOM X-rays to a registered version of the model chest-xray.',
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=['model:chest-xray', 'target:aws-test'],
    params={
        "source": Param('/data/xrays', type="string", description="Folder of DICOM files, or a DICOMDIR."),
        "labels": Param(
            '/data/labels.csv', type=["null", "string"], description="Table of labels; none: the folders are the classes."
        ),
    },
) as dag:
    tasks = {}
    for each in STEPS:
        tasks[each["name"]] = task(
            task_id=each["name"],
            trigger_rule=each["trigger_rule"],
            retries=each["retries"],
            retry_delay=timedelta(seconds=each["wait_s"]),
            retry_exponential_backoff=each["factor"] if each["retries"] else False,
            execution_timeout=timedelta(seconds=each["timeout_s"]) if each["timeout_s"] else None,
            doc_md=f"Caching key `{each['key']}`",
        )(run_step)(each)
        for needed in each["needs"]:
            tasks[needed] >> tasks[each["name"]]
