"""``isocenter target check``: whether what a descriptor names is there and answers."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command()
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Probe the target NAME: endpoints answer, buckets can be seen. Exit code 7 where one doesn't.

    Of the target local: its directory, key, database and audit trail are there.
    """
    from isocenter.errors import EnvironmentFaultError
    from isocenter.home import open_home
    from isocenter.targets.catalogue import find_descriptor
    from isocenter.targets.target import LOCAL

    stopped = ""
    remedy = "make drift shows what is missing; credentials and network come first."
    if name == LOCAL.name:
        from isocenter.targets.local_store import probe_local

        found, remedy = probe_local(), "make deploy CLOUD=local makes what isn't there."
    else:
        from isocenter.targets.probe import probe, stopped_emulator

        descriptor = find_descriptor(open_home(), name)
        found = probe(descriptor)
        stopped = stopped_emulator(descriptor, found)
    if as_json:
        print_json([{"what": p.what, "ok": p.ok, "said": p.said} for p in found])
    else:
        rows = ((p.what, "ok" if p.ok else "FAILED", p.said) for p in found)
        print_table(f"Probes of {name}", ("what", "result", "said"), rows)
    failed = [p.what for p in found if not p.ok]
    if failed and as_json:
        raise click.exceptions.Exit(EnvironmentFaultError.exit_code)
    if stopped:
        raise EnvironmentFaultError(f"The emulator of {name} is not running.", hint=stopped)
    if failed:
        raise EnvironmentFaultError(
            f"{len(failed)} of {len(found)} probes of {name} failed: {', '.join(failed[:3])}.",
            hint=remedy,
        )
