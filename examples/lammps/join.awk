# Joins the text dumps of a trajectory's segments: a step at which one ends and the next starts is in both, and is kept once.
#     awk -f join.awk melt.0-segment*.dump > melt.0.dump
/^ITEM: TIMESTEP/ {
    head = $0
    getline step
    keep = frames == 0 || step + 0 > last + 0
    if (keep) { frames++; last = step; print head; print step }
    next
}
keep
