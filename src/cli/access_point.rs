//! Gentleness on an access point, which many people share.

use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::Failure;
use super::output::{count, say};
use crate::exit::Exit;
use crate::plan::AccessPoint;
use crate::pool::is_access_point;

/// Where this machine is an access point: lowers the priority of this process and of all that it starts, says so, and
/// gives how many threads to use there. `asked` is the number that was asked for by `option`, and `rules` are the site's.
pub(super) fn be_gentle(rules: &AccessPoint, asked: Option<u16>, option: &str) -> Option<u16> {
    if !is_access_point() {
        return None;
    }
    let threads = asked.or(rules.threads).unwrap_or(AccessPoint::THREADS);
    let niceness = rules.niceness.unwrap_or(AccessPoint::NICENESS);
    let niceness = lower_priority(niceness);
    let more = if asked.is_some() { String::new() } else { format!("; {option} N for another number") };
    say(&format!("this is an access point: {} at low priority (nice {niceness}){more}", count(threads, "thread")));
    Some(threads)
}

/// Lowers the priority of this process and of all that it starts.
pub(super) fn step_back(rules: &AccessPoint) {
    lower_priority(rules.niceness.unwrap_or(AccessPoint::NICENESS));
}

/// Where this machine is an access point: reads partials with as many threads as `rules` say.
pub(super) fn read_gently(rules: &AccessPoint) -> Result<(), Failure> {
    limit_merging(is_access_point().then(|| rules.threads.unwrap_or(AccessPoint::THREADS)))
}

/// Does some work in threads of its own, few where this machine is an access point: before a plan is known, nothing says yet how
/// many all the rest may use. Where that does not pay the work is to use no threads.
pub(super) fn in_own_threads<T: Send>(pays: bool, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    if !pays {
        return Ok(work());
    }
    let threads = if is_access_point() { AccessPoint::THREADS.into() } else { 0 };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::new(Exit::Machine, format!("cannot start threads: {error}")))?;
    Ok(pool.install(work))
}

/// Reading and merging use so many threads from here on; the first number that is said holds.
pub(super) fn limit_merging(threads: Option<u16>) -> Result<(), Failure> {
    static LIMITED: AtomicBool = AtomicBool::new(false);
    let Some(threads) = threads else { return Ok(()) };
    if LIMITED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    built.map_err(|error| Failure::new(Exit::Machine, format!("cannot start {}: {error}", count(threads, "thread"))))
}

/// Raises this process's niceness to `least`; gives what it is then.
fn lower_priority(least: u8) -> i32 {
    let now = rustix::process::getpriority_process(None).unwrap_or(0);
    // Where it is refused the work is done all the same.
    if now < i32::from(least) { rustix::process::nice(i32::from(least) - now).unwrap_or(now) } else { now }
}
