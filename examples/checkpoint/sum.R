# The sum of the items from the first to the second argument, in R: under
# `split plan --checkpoint=files -- Rscript sum.R {first} {last}`.
# When the file $SPLIT_CHECKPOINT_STOP is there, it saves into the folder $SPLIT_CHECKPOINT_NEW and ends with 85.
items <- as.numeric(commandArgs(trailingOnly = TRUE))
old <- Sys.getenv("SPLIT_CHECKPOINT_OLD")
new <- Sys.getenv("SPLIT_CHECKPOINT_NEW")
stop_file <- Sys.getenv("SPLIT_CHECKPOINT_STOP")
log_file <- Sys.getenv("LOG")
step <- as.numeric(Sys.getenv("STEP", "0"))

state <- list(item = items[1], total = 0)
if (nzchar(old)) state <- readRDS(file.path(old, "state.rds"))
while (state$item <= items[2]) {
    if (nzchar(stop_file) && file.exists(stop_file)) {
        saveRDS(state, file.path(new, "state.rds"))
        quit(status = 85)
    }
    if (nzchar(log_file)) cat(state$item, "\n", sep = "", file = log_file, append = TRUE)
    Sys.sleep(step)
    state$total <- state$total + state$item
    state$item <- state$item + 1
}
cat(state$total, "\n", sep = "")
