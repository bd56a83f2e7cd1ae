# fish completion of lilith(1). Commands, options and their values are asked of each command's --help, so that this file
# has none of them to keep up to date.

function __lilith_words
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l command $words[1]
    set -l help ($command --help 2>/dev/null)
    for word in $words[2..]
        if test "$word" = --
            __fish_complete_subcommand --commandline (string split -m1 -- ' -- ' (commandline -p))[2]
            return
        end
        if string match -qr '^[a-z][a-z-]*$' -- $word; and string match -qr "^  $word  " -- $help
            set -a command $word
            set help ($command --help 2>/dev/null)
        end
    end

    if string match -q -- '--*' $words[-1]
        set -l values (string match -gr -- "^  .*$words[-1][ =][^ ]*\{([^}]*)\}" $help)
        if test -n "$values"
            string split , -- $values[1]
            return
        end
    end
    if string match -q -- '-*' $current
        printf '%s\n' $help | awk -F '  +' '/^  -/ && match($2, /--[a-z][a-z-]*/) {
            print substr($2, RSTART, RLENGTH) "\t" $3 }'
        return
    end
    set -l names (printf '%s\n' $help | awk -F '  +' '/^  [a-z][a-z-]*  / { print $2 "\t" $3 }')
    if test (count $names) -gt 0
        printf '%s\n' $names
    else
        __fish_complete_path $current
    end
end
complete -c lilith -f -a '(__lilith_words)'
