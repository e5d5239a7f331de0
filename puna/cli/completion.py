"""`puna completion SHELL`: a script that makes the shell complete commands, flags and models."""

from __future__ import annotations

import sys

from puna.cli.command import command, exactly
from puna.errors import BadRequest

__all__ = ["COMMAND", "SCRIPTS"]

BASH = r"""_puna() {
    local line colon prefix=
    COMPREPLY=()
    # bash breaks words at colons, which names of models have: take the whole word
    local current="${COMP_LINE:0:COMP_POINT}"
    local -a words
    read -r -a words <<<"$current"
    [[ "$current" == *[[:space:]] ]] && words+=("")
    local word="${words[${#words[@]}-1]}"
    [[ "$word" == *:* && "$COMP_WORDBREAKS" == *:* ]] && prefix="${word%:*}:"
    while IFS=$'\t' read -r line _; do
        if [[ "$line" == ":files" ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
        else
            COMPREPLY+=("${line#"$prefix"}")
        fi
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _puna puna
"""

ZSH = r"""#compdef puna
_puna() {
    local line
    local -a found
    for line in "${(@f)$(puna __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ "$line" == ":files" ]]; then
            _files
        elif [[ -n "$line" ]]; then
            found+=("${line%%$'\t'*}")
        fi
    done
    (( ${#found} )) && compadd -a found
}
compdef _puna puna
"""

FISH = r"""function __puna_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (puna __complete $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c puna -f -a '(__puna_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@command(
    "completion",
    usage="SHELL",
    words=exactly(1),
    variables=(),
    completes=("|".join(SCRIPTS),),
    help="Print a script that completes commands in bash, zsh or fish",
)
def COMMAND(words: tuple[str, ...]) -> None:
    if words[0] not in SCRIPTS:
        raise BadRequest(f"unknown shell {words[0]}: there are {', '.join(SCRIPTS)}")
    sys.stdout.write(SCRIPTS[words[0]])
