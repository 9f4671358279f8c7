"""A workload names its image by digest."""

from isocenter_policies.rule import Body, Rule


class ImageDigests(Rule):
    id = "ISO_K8S_013"
    severity = "medium"
    title = "A workload names its image by digest"
    why = "A tag can be moved to another image."
    fix = "Write the image as NAME@sha256:...."
    control = 27
    kinds = (
        "kubernetes_pod",
        "kubernetes_pod_v1",
        "kubernetes_deployment",
        "kubernetes_deployment_v1",
        "kubernetes_daemonset",
        "kubernetes_daemon_set_v1",
        "kubernetes_stateful_set",
        "kubernetes_stateful_set_v1",
        "kubernetes_job",
        "kubernetes_job_v1",
        "kubernetes_cron_job",
        "kubernetes_cron_job_v1",
    )

    def holds(self, body: Body) -> bool | None:
        specs = ("spec.", "spec.template.spec.", "spec.job_template.spec.template.spec.")
        images = [image for spec in specs for image in body.texts(f"{spec}container.image")]
        return all("@sha256:" in image for image in images)


CHECK = ImageDigests()
