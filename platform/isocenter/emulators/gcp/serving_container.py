"""What Vertex AI gives to a serving container.

https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements#aip-variables
"""

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.emulators.replica import Container


def container_of(
    endpoint: Any, deployed: Any, model: Any, program: Sequence[str], environment: Mapping[str, str]
) -> Container:
    """What runs in each replica of a DeployedModel.

    Args:
        endpoint: it is behind.
        deployed: the DeployedModel.
        model: what it deploys.
        program: stands for the image's entry point.
        environment: that every container gets.
    """
    spec = model.container_spec
    usual = f"/v1/endpoints/{endpoint.name.rpartition('/')[2]}/deployedModels/{deployed.id}"
    health, predict = spec.health_route or usual, spec.predict_route or f"{usual}:predict"
    resources = deployed.dedicated_resources.machine_spec
    own = {
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_ENDPOINT_ID": endpoint.name.rpartition("/")[2],
        "AIP_DEPLOYED_MODEL_ID": deployed.id,
        "AIP_MODEL_NAME": model.name.rpartition("/")[2],
        "AIP_VERSION_NAME": model.version_id,
        "AIP_PROJECT_NUMBER": endpoint.name.split("/")[1],
        "AIP_MACHINE_TYPE": resources.machine_type,
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HEALTH_ROUTE": health,
        "AIP_PREDICT_ROUTE": predict,
        "AIP_STORAGE_URI": model.artifact_uri,
    }
    given = {variable.name: variable.value for variable in spec.env}
    return Container(
        command=(*(spec.command or program), *spec.args),
        environment={**environment, **own},
        given=given,
        health_route=health,
        predict_route=predict,
        port_variable="AIP_HTTP_PORT",
    )
