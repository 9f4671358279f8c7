"""Configuration is recorded for every resource, and the recorder runs."""

from isocenter_policies.rule import Body, Rule


class ConfigRecorder(Rule):
    id = "ISO_AWS_024"
    severity = "medium"
    title = "Configuration is recorded for every resource, and the recorder runs"
    why = "A change by hand that nobody records can't be found."
    fix = (
        "Set recording_group.all_supported and include_global_resource_types, and is_enabled of the "
        "recorder's status, to true."
    )
    control = 15
    kinds = (
        "aws_config_configuration_recorder",
        "aws_config_configuration_recorder_status",
    )

    def holds(self, body: Body) -> bool | None:
        if body.get("is_enabled") is not None:
            return body.get("is_enabled") is True
        group = "recording_group"
        return (
            body.get(f"{group}.all_supported") is True
            and body.get(f"{group}.include_global_resource_types") is True
        )


CHECK = ConfigRecorder()
