"""Run by .venv-pipelines: does the sagemaker SDK write the same definition out of its own classes?

Parameters, joins, properties of steps, retry policies, caching and dependencies are rebuilt as the SDK's
objects (so a property that SageMaker doesn't have, or a fault that it doesn't know, is an error), and the
definition that the SDK then writes is compared with ours. Argument: our file. Exit code: 1 where they differ.
"""

import json
import logging
import os
import re
import sys
from pathlib import Path

os.environ.update(AWS_DEFAULT_REGION="eu-central-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
logging.disable(logging.WARNING)

from sagemaker.core.workflow.functions import Join  # noqa: E402
from sagemaker.core.workflow.parameters import ParameterString  # noqa: E402
from sagemaker.core.workflow.properties import Properties  # noqa: E402
from sagemaker.mlops.workflow.pipeline import Pipeline  # noqa: E402
from sagemaker.mlops.workflow.retry import (  # noqa: E402
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ConfigurableRetryStep, StepTypeEnum  # noqa: E402

SHAPES = {"Training": "DescribeTrainingJobResponse", "Processing": "DescribeProcessingJobResponse"}


class RebuiltStep(ConfigurableRetryStep):
    """A step with arguments of ours; all else is the SDK's."""

    def __init__(self, step, made, parameters):
        super().__init__(
            name=step["Name"],
            step_type=StepTypeEnum(step["Type"]),
            depends_on=step.get("DependsOn"),
            retry_policies=[policy(each) for each in step.get("RetryPolicies", [])],
        )
        self._properties = Properties(step_name=step["Name"], shape_name=SHAPES[step["Type"]])
        caching = step.get("CacheConfig")
        self.cache_config = CacheConfig(caching["Enabled"], caching["ExpireAfter"]) if caching else None
        self._arguments = rebuilt(step["Arguments"], made, parameters)

    @property
    def arguments(self):
        return self._arguments

    @property
    def properties(self):
        return self._properties

    def to_request(self):
        request = super().to_request()
        if self.cache_config:
            request.update(self.cache_config.config)
        return request


def policy(found):
    names = found["ExceptionType"]
    rest = {
        "backoff_rate": found["BackoffRate"],
        "interval_seconds": found["IntervalSeconds"],
        "max_attempts": found["MaxAttempts"],
    }
    if names[0].startswith("Step."):
        return StepRetryPolicy([member(StepExceptionTypeEnum, name) for name in names], **rest)
    kinds = [member(SageMakerJobExceptionTypeEnum, name) for name in names]
    return SageMakerJobStepRetryPolicy(exception_types=kinds, **rest)


def member(kind, value):
    """These enumerations take any value for their first member."""
    return next(each for each in kind if each.value == value)


def rebuilt(value, made, parameters):
    if isinstance(value, list):
        return [rebuilt(each, made, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return Join(on=join["On"], values=rebuilt(join["Values"], made, parameters))
    if set(value) == {"Get"}:
        return got(value["Get"], made, parameters)
    return {key: rebuilt(each, made, parameters) for key, each in value.items()}


def got(path, made, parameters):
    kind, name, *rest = path.split(".")
    if kind == "Parameters":
        return parameters[name]
    found = made[name].properties
    for part in rest:
        attribute, key = re.fullmatch(r"(\w+)(?:\['(\w+)'\])?", part).groups()
        found = getattr(found, attribute)  # AttributeError: SageMaker has no such property
        found = found[key] if key else found
    return found


def main():
    ours = json.loads(Path(sys.argv[1]).read_text())
    parameters = {p["Name"]: ParameterString(p["Name"], p.get("DefaultValue")) for p in ours["Parameters"]}
    made = {}
    for step in ours["Steps"]:
        made[step["Name"]] = RebuiltStep(step, made, parameters)
    pipeline = Pipeline(
        "p", parameters=[*parameters.values()], steps=[*made.values()], pipeline_experiment_config=None
    )
    theirs = json.loads(pipeline.definition())
    for part in ("Version", "Parameters", "Steps"):
        if theirs[part] != ours[part]:
            print(json.dumps(theirs[part], indent=1)[:20000], file=sys.stderr)
            raise SystemExit(f"The SDK writes other {part}")
    print(json.dumps({"steps": [step["Name"] for step in theirs["Steps"]]}))


main()
