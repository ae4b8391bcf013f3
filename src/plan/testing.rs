//! A plan for tests.

use std::collections::BTreeMap;

use super::{
    ContainerMode, FORMAT, Identity, JobFiles, Pacing, Plan, Reduction, Resources, SiteRules, Size, Word, Yields,
};
use crate::cut::Cut;
use crate::space::Space;

/// A plan without a command over the range `total`.
pub(crate) fn plan(total: &str, cut: Cut) -> Plan {
    let space = Space::Range(total.parse().expect("a range"));
    Plan {
        format: FORMAT,
        identity: Identity::of_plan(&space, &cut, None, &Yields::default(), None),
        generation: 1,
        space,
        cut,
        command: None,
        yields: Yields::default(),
        chain: None,
        reduce: Reduction::Sum,
        by: vec![],
        to: None,
        tolerance: None,
        expected: None,
        target: None,
        seen: None,
        sources: vec![],
        fan_in: None,
        tail_rounds: 2,
        base: Word::from("."),
        environment: BTreeMap::new(),
        files: JobFiles::default(),
        setup: None,
        home: None,
        code: Identity::of_bytes(b""),
        resources: Resources {
            cpus: 1,
            memory: Size::gibibytes(1),
            memory_max: None,
            disk: Size::gibibytes(1),
            retries: 2,
            halt: None,
            held_for: None,
            gpus: 0,
            gpu_lines: vec![],
            container: None,
            container_mode: ContainerMode::Universe,
            container_lines: vec![],
            shared_filesystem: false,
            requirements: vec![],
            submit: vec![],
        },
        pacing: Pacing::default(),
        site: SiteRules::default(),
        templates: Identity::of_bytes(b""),
    }
}
