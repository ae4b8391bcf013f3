//! What the README promises first.

use std::collections::BTreeSet;

use crate::folder::SUM;
use crate::pool::Pool;

pub(crate) fn the_three_commands(pool: &Pool) {
    let folder = pool.folder("three-commands");
    folder.split("plan --total 1..=100 --chunks 60").ok();
    let dag = folder.read("plan.dag");
    let nodes = |name: &str| dag.lines().filter(|line| line.starts_with(&format!("JOB {name}-"))).count();
    assert_eq!((nodes("chunk"), nodes("reduce")), (60, 1));

    assert_eq!(folder.submit(), Some(0));
    let (chunks, others): (Vec<_>, Vec<_>) = folder.jobs().into_iter().partition(|job| job.chunk().is_some());
    assert_eq!(chunks.iter().filter_map(|job| job.chunk()).collect::<Vec<_>>(), Vec::from_iter(0..60));
    assert!(chunks.iter().chain(&others).all(|job| job.returned == Some(0)));
    let machines: BTreeSet<_> = chunks.iter().filter_map(|job| job.machine.as_deref()).collect();
    assert!(machines.len() > 1 && !machines.contains("ap"), "{machines:?}");
    let merges: Vec<_> = others.iter().map(|job| (job.node.as_str(), job.machine.as_deref())).collect();
    assert_eq!(merges, [("reduce-g1", Some("ap"))]);

    let partials = folder.partials();
    assert_eq!(partials.iter().map(|partial| partial.chunk).collect::<Vec<_>>(), Vec::from_iter(0..60));
    let hosts: BTreeSet<_> = partials.iter().filter_map(|partial| partial.header["host"].as_str()).collect();
    assert_eq!(hosts, machines);

    assert!(!folder.exists("tail-1.dag"), "nothing was missing");
    assert_eq!(folder.answer(), 5050, "by the reduce node");
    assert_eq!(folder.read("logs/reduce.out"), "5050\n");
    assert_eq!(folder.split("reduce outputs/").ok(), "5050\n");
}

pub(crate) fn a_python_program_of_the_users_own(pool: &Pool) {
    let folder = pool.folder("python");
    folder.write(
        "code/sum.py",
        "import sys\nfrom helper import value\n\
         print(sum(value(i) for i in range(int(sys.argv[1]), int(sys.argv[2]) + 1)))\n",
    );
    folder.write(
        "code/helper.py",
        "WEIGHTS = [int(line) for line in open('data/weights.txt')]\n\
         def value(i):\n    return WEIGHTS[i % len(WEIGHTS)] * i ** 2\n",
    );
    folder.write("data/weights.txt", "3\n1\n4\n1\n5\n");
    folder
        .split(
            "plan --total 1..=1000 --chunks 25 --input code/helper.py --input data \
             -- python3 code/sum.py {first} {last}",
        )
        .ok();
    assert_eq!(folder.submit(), Some(0));
    let expected: u64 = (1..=1000).map(|i| [3, 1, 4, 1, 5][i % 5] * (i as u64).pow(2)).sum();
    assert_eq!(folder.split("reduce outputs/").ok(), format!("{expected}\n"));
    assert_eq!(folder.partials().len(), 25);
}

pub(crate) fn a_shared_file_system_transfers_nothing(pool: &Pool) {
    let folder = pool.folder("shared");
    folder.write("code/sum.py", SUM);
    folder.split("plan --total 1..=100 --chunks 10 --shared-filesystem -- python3 code/sum.py {first} {last}").ok();
    assert_eq!(folder.submit(), Some(0));
    let jobs = folder.jobs();
    assert_eq!(jobs.len(), 11);
    assert!(jobs.iter().all(|job| job.returned == Some(0) && job.transferred == 0), "{jobs:?}");
    assert_eq!(jobs[0].machine.as_deref(), Some("ep1"));
    assert_eq!(folder.split("reduce outputs/").ok(), "5050\n");
}

pub(crate) fn concat_keeps_the_order(pool: &Pool) {
    let folder = pool.folder("concat");
    folder.split("plan --total 1..=50 --chunks 20 --reduce concat -- seq {first} {last}").ok();
    assert_eq!(folder.submit(), Some(0));
    let expected: String = (1..=50).map(|i| format!("{i}\n")).collect();
    assert_eq!(folder.read("logs/reduce.out"), expected);
    assert_eq!(folder.split("reduce outputs/").ok(), expected);
}
