# bash completion of lilith(1). Commands, options and their values are asked of each command's --help, so that this file
# has none of them to keep up to date.

_lilith()
{
    local cur prev words cword
    _init_completion -n : || return

    local -a command=("${words[0]}")
    local help i values
    help=$("${command[@]}" --help 2>/dev/null)
    for ((i = 1; i < cword; i++)); do
        if [[ ${words[i]} == -- ]]; then # lilith run -- PROGRAM ..., lilith mcp ... -- PROGRAM ...
            _command_offset $((i + 1))
            return
        fi
        if [[ ${words[i]} == [a-z]* ]] && grep -q "^  ${words[i]}  " <<<"$help"; then
            command+=("${words[i]}")
            help=$("${command[@]}" --help 2>/dev/null)
        fi
    done

    if [[ $prev == --* ]]; then
        values=$(sed -n "s/^  .*${prev}[ =][^ ]*{\([^}]*\)}.*/\1/p" <<<"$help")
        if [[ $values ]]; then
            COMPREPLY=($(compgen -W "${values//,/ }" -- "$cur"))
            return
        fi
    fi
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_parse_help - <<<"$help")" -- "$cur"))
        return
    fi
    COMPREPLY=($(compgen -W "$(sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' <<<"$help")" -- "$cur"))
    [[ ${#COMPREPLY[@]} -gt 0 ]] || _filedir
} &&
    complete -F _lilith lilith
