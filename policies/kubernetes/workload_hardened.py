"""A workload shares nothing with its node."""

from isocenter_policies.rule import Body, Rule


class WorkloadHardened(Rule):
    id = "ISO_K8S_012"
    severity = "high"
    title = "A workload shares nothing with its node"
    why = "A pod with the host's network, processes or files owns the node."
    fix = "Leave host_network, host_pid, host_ipc, host_path and privileged out."
    control = 29
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
        shared = ("host_network", "host_pid", "host_ipc", "container.security_context.privileged")
        if any(body.get(spec + name) is True for spec in specs for name in shared):
            return False
        return not any(body.blocks(f"{spec}volume.host_path") for spec in specs)


CHECK = WorkloadHardened()
