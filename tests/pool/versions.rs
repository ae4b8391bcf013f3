//! A program that is changed while its chunks run.

use std::collections::BTreeMap;

use crate::pool::Pool;

pub(crate) fn a_program_changed_half_way_is_not_mixed(pool: &Pool) {
    let folder = pool.folder("half-way");
    let program = |factor: u32| {
        format!(
            "import sys, time\ntime.sleep(1)\nfirst, last = map(int, sys.argv[1:])\n\
             print({factor} * sum(range(first, last + 1)))\n"
        )
    };
    folder.write("sum.py", program(1));
    folder.split("plan --total 1..=100 --chunks 60 -- python3 sum.py {first} {last}").ok();
    let dagman = folder.start();
    // There are 18 slots: the other chunks' jobs get the program as it is when they start.
    folder.wait_for("the first results", || folder.names("outputs").len() > 5);
    folder.write("sum.py", program(2));
    assert_eq!(folder.end_of(dagman), Some(1), "the reduce node refuses");
    let mut chunks: BTreeMap<String, usize> = BTreeMap::new();
    for partial in folder.partials() {
        *chunks.entry(partial.header["code"].to_string()).or_default() += 1;
    }
    assert!(chunks.len() == 2 && chunks.values().sum::<usize>() == 60, "{chunks:?}");
    assert!(folder.read("logs/reduce.err").contains("computed by one version of the program"));
    let refused = folder.split("reduce outputs/");
    refused.fails(26, &["computed by one version of the program", "sum.py", "--mixed", "split resume --redo"]);
    assert!(!folder.exists("result.json"));

    // The choice: to compute the older ones again.
    let resumed = folder.split("resume --redo").ok();
    assert!(resumed.contains("set aside: ") && resumed.contains("next: condor_submit_dag plan.dag"), "{resumed}");
    let before = folder.jobs().len();
    assert_eq!(folder.submit(), Some(0));
    let again = folder.jobs().len() - before - 1;
    assert!(chunks.values().any(|&older| older == again), "{again} jobs, but {chunks:?}");
    assert_eq!(folder.split("reduce outputs/").ok(), "10100\n");
    assert_eq!(folder.answer(), 10100);
}
