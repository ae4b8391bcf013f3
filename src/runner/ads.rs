//! What HTCondor tells a job of itself and of its machine, in two ClassAds whose files the job's environment names.

use std::time::Duration;

/// How long a job may take to end once it is evicted, where neither it nor its machine says so: HTCondor's own default of
/// MachineMaxVacateTime.
const VACATE_TIME: Duration = Duration::from_secs(600);

/// What of that is kept back, so that what is finished can still be packed and sent.
const KEPT_BACK: Duration = Duration::from_secs(60);

/// The execute point's name as the pool knows it, else as the machine does.
#[must_use]
pub fn host() -> String {
    let machine = attribute("_CONDOR_MACHINE_AD", "Machine");
    machine
        .and_then(|machine| Some(machine.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// How often the job has failed before: HTCondor puts the same job back into the queue, and counts the runs that came
/// to an end of their own (an eviction is none).
#[must_use]
pub fn retry() -> u32 {
    attribute("_CONDOR_JOB_AD", "NumJobCompletions").and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The value, as it is written, of an attribute in the ClassAd whose file this variable names.
pub(super) fn attribute(variable: &str, name: &str) -> Option<String> {
    let ad = std::fs::read(std::env::var_os(variable)?).ok()?;
    String::from_utf8_lossy(&ad).lines().find_map(|line| {
        let (attribute, value) = line.split_once('=')?;
        (attribute.trim() == name).then(|| value.trim().to_owned())
    })
}

/// How long a program may take to end once its job is evicted, or to save its state once it is told to: what job and machine
/// allow (JobMaxVacateTime, MachineMaxVacateTime), but for a tenth, or a minute of ten and more. After that HTCondor kills the
/// job with all that it has not brought back yet.
pub(super) fn grace() -> Duration {
    let of_job = attribute("_CONDOR_JOB_AD", "JobMaxVacateTime");
    let of_machine = attribute("_CONDOR_MACHINE_AD", "MachineMaxVacateTime");
    grace_of(of_job.as_deref(), of_machine.as_deref())
}

fn grace_of(of_job: Option<&str>, of_machine: Option<&str>) -> Duration {
    let of_machine = of_machine.and_then(seconds).unwrap_or(VACATE_TIME);
    let allowed = of_job.and_then(seconds).map_or(of_machine, |of_job| of_job.min(of_machine));
    allowed - KEPT_BACK.min(allowed / 10)
}

/// A number of seconds, or a product of such, as in the default `10 * 60`; nothing else can be told without a machine's state.
fn seconds(expression: &str) -> Option<Duration> {
    let factors = expression.split('*').map(|factor| factor.trim().parse::<u32>().ok());
    let product = factors.into_iter().try_fold(1_u64, |product, factor| product.checked_mul(u64::from(factor?)))?;
    Some(Duration::from_secs(product))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_time_counts_but_for_a_tenth() {
        let of = |job, machine| grace_of(job, machine).as_millis();
        assert_eq!(of(None, None), 540_000);
        assert_eq!(of(Some("600"), Some("10 * 60")), 540_000);
        assert_eq!(of(Some("600"), Some("30")), 27_000);
        assert_eq!(of(Some("20"), Some("10 * 60")), 18_000);
        assert_eq!(of(None, Some("4 * 60 * 60")), 14_340_000);
        assert_eq!(of(None, Some("0")), 0);
        // What depends on more is not known.
        assert_eq!(of(None, Some("ifThenElse(IsDay, 60, 600)")), 540_000);
        assert_eq!(of(Some("undefined"), Some("5")), 4_500);
    }
}
