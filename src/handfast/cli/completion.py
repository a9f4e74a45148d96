"""Make the shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import print_json

SECTION = "More"


@click.command(
    epilog=examples(
        "handfast completion bash >> ~/.bashrc",
        "handfast completion zsh >> ~/.zshrc",
        "handfast completion fish > ~/.config/fish/completions/handfast.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@no_authority("leave it out")
@json_option
@click.pass_context
def command(context: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that makes SHELL complete handfast's commands and options."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"{shell} is not supported", context)
    script = (
        completion.source_template
        % completion(context.find_root().command, {}, "handfast", "_HANDFAST_COMPLETE").source_vars()
    )
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script, nl=False)
