"""``isocenter target show``: what a deployment provisioned."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command()
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Print the descriptor of the target NAME: buckets, keys, identities, GPUs on offer.

    The target local has none: it is a directory with its key, database and audit trail.
    """
    from isocenter.home import open_home
    from isocenter.targets.catalogue import find_descriptor
    from isocenter.targets.target import LOCAL

    if name == LOCAL.name:
        _show_local(as_json)
        return
    descriptor = find_descriptor(open_home(), name)
    if as_json:
        print_json(descriptor.model_dump(mode="json"))
        return
    plain = ("provider", "backend", "region", "residency", "environment", "registry", "workspace", "log_sink")
    rows = [(field, getattr(descriptor, field)) for field in plain]
    for field in ("buckets", "keys", "identities", "endpoints"):
        rows += [(f"{field}.{key}", value) for key, value in getattr(descriptor, field).items()]
    rows.append(("network", descriptor.network.id))
    rows += [("subnet", subnet) for subnet in descriptor.network.subnets]
    print_table(descriptor.name, ("what", "value"), [row for row in rows if row[1]])
    gpus = [
        (gpu.size, gpu.per_node, gpu.max_nodes, gpu.machine, "spot" if gpu.spot else "")
        for gpu in descriptor.gpu
    ]
    if gpus:
        print_table("GPUs on offer", ("size", "on a machine", "machines", "machine", ""), gpus)
    if descriptor.by_platform:
        print_table("Done by the platform layer", ("what",), [(each,) for each in descriptor.by_platform])
    if descriptor.left_out:
        print_table("Left out: emulated", ("resource", "why"), descriptor.left_out.items())


def _show_local(as_json: bool) -> None:
    from isocenter.targets.local_store import probe_local
    from isocenter.targets.target import LOCAL

    parts = {"provider": LOCAL.provider, "backend": LOCAL.backend}
    parts |= {probe.what: probe.said for probe in probe_local()}
    if as_json:
        print_json({"name": LOCAL.name, **{what.replace(" ", "_"): said for what, said in parts.items()}})
    else:
        print_table(LOCAL.name, ("what", "value"), parts.items())
