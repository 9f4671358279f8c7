"""A job goes to the deployment's own region and workspace."""

from collections.abc import Iterator

from isocenter.policy.rule import Flaw, JobRequest, Rule


class OwnPlace(Rule):
    """SageMaker is asked in the region of the descriptor and no field of the request says another."""

    id = "ISO_JOB_011"
    severity = "critical"
    title = "A job goes to the deployment's own region and workspace"
    why = "Patient data that leave their zone fall under another law."
    fix = "Plan the job for the target it is sent to: `pipeline run --target`."
    control = 15
    citations = ("164.308(a)(8)",)
    needs_target = True

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        target = job.known_target
        if job.get("parent") != f"projects/{target.settings.get('project')}/locations/{target.region}":
            yield Flaw("parent", f"is not the project and region of {target.name}")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        target = job.known_target
        known = {
            "subscription": target.settings.get("subscription"),
            "resource_group": target.settings.get("resource_group"),
            "name": target.workspace,
        }
        for field, value in known.items():
            if job.get(f"workspace.{field}") != value:
                yield Flaw(f"workspace.{field}", f"is not the one of {target.name}")
        clusters = {f"azureml:{each['name']}" for each in target.settings.get("clusters", ())}
        if job.get("job.compute") and job.get("job.compute") not in clusters:
            yield Flaw("job.compute", f"is no cluster of {target.name}")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        target = job.known_target
        known = target.settings.get("namespace") or target.workspace or "isocenter"
        if job.get("namespace") != known:
            yield Flaw("namespace", f"is not the one of {target.name}")
        for place, part in job.parts:
            metadata = part.get("metadata") if "kind" in part else None
            if isinstance(metadata, dict) and metadata.get("namespace", known) != known:
                yield Flaw(f"{place}.metadata.namespace", f"is not the one of {target.name}")


RULE = OwnPlace()
