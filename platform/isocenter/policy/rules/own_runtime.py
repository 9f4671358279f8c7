"""A TrainJob runs its own runtime, and changes nothing of it."""

from collections.abc import Iterator

from isocenter.policy.rule import Flaw, JobRequest, Rule, look

_OVERRIDES = ("podTemplateOverrides", "podSpecOverrides", "runtimePatches")


class OwnRuntime(Rule):
    """All that the other rules see of a TrainJob's pods stands in its runtime."""

    id = "ISO_JOB_019"
    severity = "high"
    title = "A TrainJob runs its own runtime, and changes nothing of it"
    why = "Another runtime, or a change of this one, would make pods that no rule has seen."
    fix = "Leave runtimeRef at the TrainingRuntime that goes with the job, and overrides out."
    control = 29
    citations = ("164.312(a)(1)",)

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        own = {
            ("TrainingRuntime", look(part, "metadata.name"))
            for _, part in job.parts
            if part.get("kind") == "TrainingRuntime" and "spec" in part
        }
        for place, part in job.parts:
            if part.get("kind") != "TrainJob":
                continue
            runtime = look(part, "spec.runtimeRef") or {}
            if (runtime.get("kind"), runtime.get("name")) not in own:
                yield Flaw(f"{place}.spec.runtimeRef", "is not the runtime that goes with the job")
            for field in _OVERRIDES:
                if look(part, f"spec.{field}"):
                    yield Flaw(f"{place}.spec.{field}", "changes the runtime's pods")


RULE = OwnRuntime()
