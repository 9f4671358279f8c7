"""``isocenter completion``: the script that teaches a shell to complete verbs and options."""

import click


@click.command(
    epilog="""\b
Examples:
  isocenter completion bash >> ~/.bashrc
  isocenter completion zsh >> ~/.zshrc
  isocenter completion fish > ~/.config/fish/completions/isocenter.fish"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL; load it in the shell's start file."""
    from click.shell_completion import get_completion_class

    from isocenter.cli.main import root

    completion = get_completion_class(shell)
    if completion is None:  # pragma: no cover - click brings all three
        raise click.UsageError(f"no completion for {shell}")
    click.echo(completion(root, {}, "isocenter", "_ISOCENTER_COMPLETE").source())
