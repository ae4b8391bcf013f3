# Prints a word in capitals, and a blank.
printf '%s ' "$(printf %s "$1" | tr '[:lower:]' '[:upper:]')"
