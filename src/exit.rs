//! Every exit code of `split` and of its runner, in one place.

/// How a process of ours ends. The numbers are part of the interface: scripts and DAGMan's
/// `ABORT-DAG-ON` depend on them, so none is ever given a second meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// This machine would not: a file could not be read or written, a process not be started.
    Machine = 1,
    /// The arguments make no sense; nothing was written.
    Usage = 2,
    /// Another plan stands in the folder; nothing was written.
    Differs = 3,
    /// A DAGMan is running in the folder; nothing was written.
    Busy = 4,
    /// The folder holds no plan, or one that cannot be read.
    NoPlan = 5,
    /// Items have no record.
    Missing = 20,
    /// Items are missing because a partial ends too early.
    Truncated = 21,
    /// Items are missing because a partial's bytes are not those that were written.
    Corrupt = 22,
    /// Items are missing and the folder holds partials of another plan.
    OtherPlan = 23,
    /// A result is not what the reducer takes, such as text where a number is due.
    BadResult = 24,
    /// The command of `--reduce-with` failed.
    ReduceCommand = 25,
    /// The records were computed by several versions of the program.
    Mixed = 26,
    /// Computed again, a result is another one (`split verify`).
    VerifyDiffers = 27,
    /// Chunks failed after all their retries (`split run`), or where they were tried (`split try`, `split verify`).
    ChunksFailed = 30,
    /// In a job: the program ended with an exit code other than 0.
    ProgramFailed = 70,
    /// In a job: the program was ended by a signal.
    ProgramKilled = 71,
    /// In a job: the program left no result where one is due, or one that the reducer does not take.
    NoResult = 72,
    /// In a job: the program could not be started at all.
    NotStarted = 73,
    /// In a job: the machine would not (disk full, files not as they were sent).
    JobMachine = 74,
    /// In a job: the set-up failed, so that the program was not started.
    SetupFailed = 75,
    /// From the POST script: the program fails the same way everywhere; DAGMan ends the DAG.
    StopDag = 76,
    /// In a job: the program did not write a file of `--expect`.
    FileMissing = 77,
    /// In a job: a run of the program took too long.
    TimedOut = 78,
    /// From the script before a round of the tail: there is nothing that is to be cut again (`PRE_SKIP`).
    NothingLeft = 79,
    /// In a job: the kernel ended the program for want of memory.
    OutOfMemory = 80,
    /// In a job: the disk was full.
    OutOfDisk = 81,
    /// From the script after a chain's segment: its job has failed, after all its retries.
    SegmentFailed = 82,
    /// From the script after a chain's segment: what came back of it is not whole; the node starts over.
    StateDamaged = 83,
    /// In a job: what is finished is to be carried to the access point, and the job then goes on (`checkpoint_exit_code`).
    Carry = 85,
    /// Ended by Ctrl-C or SIGTERM; what was done is kept.
    Interrupted = 130,
}

impl Exit {
    /// Every exit code, for the table that `split --help` and the README show.
    pub const ALL: [(Exit, &'static str); 31] = [
        (Exit::Success, "done"),
        (Exit::Machine, "this machine would not: a file or a process"),
        (Exit::Usage, "the arguments make no sense; nothing was written"),
        (Exit::Differs, "another plan stands in the folder; nothing was written"),
        (Exit::Busy, "a DAGMan is running in the folder; nothing was written"),
        (Exit::NoPlan, "no plan in the folder, or none that can be read"),
        (Exit::Missing, "items have no record"),
        (Exit::Truncated, "items missing: a partial ends too early"),
        (Exit::Corrupt, "items missing: a partial is damaged"),
        (Exit::OtherPlan, "items missing: partials of another plan"),
        (Exit::BadResult, "a result is not what the reducer takes"),
        (Exit::ReduceCommand, "the command of --reduce-with failed"),
        (Exit::Mixed, "several versions of the program computed the records"),
        (Exit::VerifyDiffers, "computed again, a result differs"),
        (Exit::ChunksFailed, "chunks failed after all their retries, or in a trial"),
        (Exit::ProgramFailed, "in a job: the program's exit code was not 0"),
        (Exit::ProgramKilled, "in a job: a signal ended the program"),
        (Exit::NoResult, "in a job: the program left no result that the reducer takes"),
        (Exit::NotStarted, "in a job: the program could not be started"),
        (Exit::JobMachine, "in a job: the machine would not"),
        (Exit::SetupFailed, "in a job: the set-up failed"),
        (Exit::StopDag, "from the POST script: the program fails everywhere"),
        (Exit::FileMissing, "in a job: the program did not write a file of --expect"),
        (Exit::TimedOut, "in a job: a run of the program took too long"),
        (Exit::NothingLeft, "from the script before the tail: there is nothing to cut"),
        (Exit::OutOfMemory, "in a job: the program was ended for want of memory"),
        (Exit::OutOfDisk, "in a job: the disk was full"),
        (Exit::SegmentFailed, "from the script after a segment: its job failed"),
        (Exit::StateDamaged, "from the script after a segment: its state is not whole"),
        (Exit::Carry, "in a job: it carries what is finished to the access point, and goes on"),
        (Exit::Interrupted, "ended by Ctrl-C or a signal; what was done is kept"),
    ];
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
