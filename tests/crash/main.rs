//! Crash points, counted and not sampled: each command is killed at every system call that changes a file, in turn, and each such call
//! fails, in turn; after that the answer is right to the byte, or there is an error with a documented exit code, and the
//! same command once more ends well.
//!
//! The suite takes some of the points. `SPLIT_CRASH_POINTS=all cargo test --test crash [NAME]` takes all, and prints how many
//! they are.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod nodes;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod scenes;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    scenes::main()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {}
