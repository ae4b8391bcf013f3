# The sum of the items from $1 to $2, in a shell: under `split plan --checkpoint=files -- sh sum.sh {first} {last}`.
# When the file $SPLIT_CHECKPOINT_STOP is there, it saves into the folder $SPLIT_CHECKPOINT_NEW and ends with 85.
set -e
next=$1
total=0
if [ -n "$SPLIT_CHECKPOINT_OLD" ]; then
    read -r next total < "$SPLIT_CHECKPOINT_OLD/state"
fi
while [ "$next" -le "$2" ]; do
    if [ -e "$SPLIT_CHECKPOINT_STOP" ]; then
        echo "$next $total" > "$SPLIT_CHECKPOINT_NEW/state"
        exit 85
    fi
    if [ -n "$LOG" ]; then echo "$next" >> "$LOG"; fi
    sleep "${STEP:-0}"
    total=$((total + next))
    next=$((next + 1))
done
echo "$total"
