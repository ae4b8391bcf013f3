//! `split status` and `split why` beside HTCondor's own numbers.

use serde_json::Value;

use crate::folder::Folder;
use crate::pool::Pool;

/// The job of a chunk that executes just now.
fn at_work(folder: &Folder<'_>, chunk: u64) -> Option<String> {
    let jobs = folder.jobs();
    let job = jobs.iter().find(|job| job.chunk() == Some(chunk))?;
    job.machine.as_ref().map(|_| job.number.to_string())
}

fn status(folder: &Folder<'_>) -> Value {
    serde_json::from_str(&folder.split("status --json").ok()).expect("JSON")
}

/// Attributes of the folder's chunks, a line each, by condor_q or condor_history.
fn ask(folder: &Folder<'_>, tool: &str, attributes: &str) -> Vec<Vec<f64>> {
    let here = folder.run(["pwd"]).ok();
    let constraint = format!(r#"JobUniverse == 5 && regexp("^{}/", Iwd)"#, here.trim());
    let words = [tool, "-constraint", constraint.as_str(), "-af"].into_iter().chain(attributes.split(' '));
    let said = folder.run(words).ok();
    let number = |word: &str| word.parse().unwrap_or(-1.0);
    said.lines().map(|line| line.split_whitespace().map(number).collect()).collect()
}

pub(crate) fn counts_and_costs_agree_with_htcondor(pool: &Pool) {
    let folder = pool.folder("status");
    folder.program(
        "tool",
        "#!/bin/sh\ncase $1 in 1) echo no data for $1 >&2; exit 3 ;; 2) sleep 600 ;; 3 | 4) sleep 15 ;; *) sleep 4 ;; esac\necho $1\n",
    );
    folder.split("plan --total 8 --chunks 8 --retries 1 --tail-rounds 0 -- ./tool {first}").ok();
    assert_eq!(status(&folder)["dag"], "not-submitted");
    let dagman = folder.start();
    folder.wait_for("chunks at work", || (2..=4).all(|chunk| at_work(&folder, chunk).is_some()));
    let job = |chunk| at_work(&folder, chunk).expect("it waits for nothing");
    // So that what is lost is more than what is rounded off.
    std::thread::sleep(std::time::Duration::from_secs(4));
    folder.run(["condor_hold", "-reason", "the quota is used up", &job(2)]).ok();
    folder.run(["condor_vacate_job", &job(3)]).ok();
    folder.run(["condor_vacate_job", "-fast", &job(4)]).ok();
    folder.wait_for("all but the job that is held", || status(&folder)["chunks"]["done"] == 6);
    let found = status(&folder);
    assert_eq!((&found["dag"], &found["merge"]), (&"at-work".into(), &"waiting".into()));
    let places = ["running", "idle", "held", "failed", "waiting"].map(|place| found["chunks"][place].as_u64());
    assert_eq!(places, [Some(0), Some(0), Some(1), Some(1), Some(0)], "{found}");
    assert_eq!(ask(&folder, "condor_q", "JobStatus"), [[5.0]], "held");
    let why = folder.split("why").ok();
    for words in [
        "8 chunks: 1 failed, 1 held",
        "chunk 1, item 1: the program ended with exit code 3\n  tried twice, on ep",
        "| no data for 1\n  here: split try chunk-1",
        "chunk 2, item 2: held: the quota is used up (by user alice) (code 1, subcode 0)",
    ] {
        assert!(why.contains(words), "{words:?} is not in: {why}");
    }

    folder.run(["condor_rm", &job(2)]).ok();
    let said = folder.split("status --watch").ok();
    assert!(
        said.contains("8 chunks: 6 done, 2 failed\n") && said.contains("the DAG has ended, with exit code 1"),
        "{said}"
    );
    assert_eq!(folder.end_of(dagman), Some(1));
    folder.wait_for_empty_queue();
    let found = status(&folder);
    let sum = |of: &[&str], what: &str| -> f64 {
        of.iter().map(|cause| found["without_results"][*cause][what].as_f64().expect("a number")).sum()
    };
    assert_eq!(sum(&["evicted"], "attempts"), 2.0, "{found}");
    assert_eq!((sum(&["failed"], "attempts"), sum(&["held"], "attempts")), (2.0, 1.0), "{found}");
    let jobs = ask(&folder, "condor_history", "ExitCode RemoteWallClockTime CommittedTime NumShadowStarts");
    assert_eq!(jobs.len(), 8);
    let good = found["with_results"]["seconds"].as_f64().expect("a number");
    let bad = sum(&["evicted", "failed", "held", "removed", "lost", "damaged"], "seconds");
    let of = |at: usize| jobs.iter().map(|job| job[at]).sum::<f64>();
    // Each attempt's start and end are rounded, there and here.
    let attempts = of(3);
    assert!((good + bad - of(1)).abs() <= attempts, "{good} + {bad} s, and HTCondor has {jobs:?}");
    let committed: f64 = jobs.iter().filter(|job| job[0] == 0.0).map(|job| job[2]).sum();
    assert!((good - committed).abs() <= 6.0, "{good} s, and HTCondor has {jobs:?}");
    assert!((bad - (of(1) - committed)).abs() <= attempts, "{bad} s, and HTCondor has {jobs:?}");
    assert!(bad >= 12.0, "{bad} s");

    // Mended, and submitted again: other jobs of the same nodes. What was removed had not failed, so the merge refuses.
    folder.program("tool", "#!/bin/sh\necho $1\n");
    assert_eq!(folder.submit(), Some(1));
    let found = status(&folder);
    let parts = [&found["chunks"]["done"], &found["merge"], &found["dag"]];
    assert_eq!(parts, [&Value::from(8), &"failed".into(), &"ended".into()]);
    let why = folder.split("why").ok();
    assert!(why.starts_with("the merge did not end well: exit code 26, several versions of the program"), "{why}");
}
