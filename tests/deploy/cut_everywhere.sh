#!/bin/sh
# Runs a script cut off after each of its bytes, and says after which of them it did anything:
#
#   cut_everywhere.sh SCRIPT FOLDER
#
# All that it could call is in FOLDER alone, and notes itself in FOLDER/called.
set -u

main() {
    text=$(cat "$1")
    folder=$2
    size=${#text}
    PATH=$folder
    while [ "$size" -gt 0 ]; do
        (set -- && eval "$text") >/dev/null 2>&1 </dev/null
        if [ -e "$folder/called" ]; then
            echo "$size"
            /bin/rm "$folder/called"
        fi
        text=${text%?}
        size=${#text}
    done
}

main "$@"
