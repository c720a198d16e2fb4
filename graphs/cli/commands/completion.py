"""`apr completion`: what a shell runs so that the Tab key completes the words of `apr`."""

from typing import Annotated

import typer

from graphs.cli.commands.complete import Shell, complete_words

HELP = """Print a script that completes commands, options, names of settings and ids of saved runs.

[bold]Examples[/bold]

  echo 'eval "$(apr completion bash)"' >> ~/.bashrc

  echo 'eval "$(apr completion zsh)"' >> ~/.zshrc

  apr completion fish > ~/.config/fish/completions/apr.fish
"""
# Where there is nothing of ours to say, a shell goes on with names of files.
_BASH = """\
_apr() {
    local IFS=$'\\n'
    COMPREPLY=($(apr completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _apr apr
"""
_ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_apr() {
    local -a found
    found=("${(@f)$(apr completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -z ${found[1]} ]]; then
        _files
    elif [[ ${found[1]} == *= ]]; then
        compadd -S '' -- "${found[@]}"
    else
        compadd -- "${found[@]}"
    fi
}
compdef _apr apr
"""
_FISH = """\
function __apr_complete
    set -l words (commandline -opc)
    set -e words[1]
    apr completion fish -- $words (commandline -ct) 2>/dev/null
end
complete -c apr -a '(__apr_complete)'
"""
SCRIPTS: dict[Shell, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.command(help=HELP, no_args_is_help=True)
def completion(
    context: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="Which shell.", show_default=False)],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Print the script, or what the last of the words that a shell hands over may become."""
    if not words:
        typer.echo(SCRIPTS[shell], nl=False)
        return
    for word in complete_words(words, context.obj, split=shell == "bash"):
        typer.echo(word)
