"""``python -m isocenter_infra VERB``: what the Makefile's verbs call."""

import signal
import sys

from isocenter.cli.failure import report_failure
from isocenter.cli.main import LazyGroup, Verb

VERBS = {
    "synth": Verb("isocenter_infra.verbs.synth:command", "Settings to Terraform's JSON."),
    "plan": Verb("isocenter_infra.verbs.plan:command", "Synthesize, check, plan; change nothing."),
    "policy": Verb("isocenter_infra.verbs.policy:command", "Scan the synthesized stacks."),
    "deploy": Verb("isocenter_infra.verbs.deploy:command", "Plan, approve, apply that plan."),
    "drift": Verb("isocenter_infra.verbs.drift:command", "What was changed by hand."),
    "destroy": Verb("isocenter_infra.verbs.destroy:command", "End a deployment."),
    "bootstrap": Verb("isocenter_infra.verbs.bootstrap:command", "The bucket of Terraform's state."),
    "save-state": Verb("isocenter_infra.verbs.save_state:command", "Save what an apply could not save."),
}
root = LazyGroup(
    "isocenter-infra",
    VERBS,
    help="Provision a deployment of Isocenter.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def main() -> None:
    """Run a verb and exit; errors of ours become a message, a hint and an exit code."""
    # A workflow that is stopped sends SIGTERM: Terraform ends what it is at, the audit trail hears of it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = root.main(prog_name="isocenter-infra", standalone_mode=False)
    except BaseException as error:
        sys.exit(report_failure(error))
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
