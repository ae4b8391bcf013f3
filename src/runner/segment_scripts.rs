//! DAGMan's scripts around the job of a chain's segment. The one before it finds the state that the job goes on from; the one after
//! it sees that the segment has left a state that is whole before its node counts as done, and at the end of the chain joins
//! what its segments have yielded.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::post::stop_if_broken;
use crate::chain::{self, Check, Line, SetAside};
use crate::exit::Exit;
use crate::plan::{Job, PLAN_FILES};
use crate::space::Interval;

/// The list of what was found damaged, relative to the plan's folder.
const DAMAGED: &str = "logs/damaged.txt";

type Failed = (Exit, String);

/// A segment's node. The current folder is the plan's.
struct Node {
    job: Job,
    chunk: u64,
    segment: u32,
    items: Interval,
}

impl Node {
    /// That of a name like `chunk-000017-s0003-g1`.
    fn read(name: &str) -> Result<Self, Failed> {
        let usage = || (Exit::Usage, format!("{name} is no segment's node"));
        let mut parts = name.split('-').skip(1);
        let chunk = parts.next().and_then(|digits| digits.parse().ok()).ok_or_else(usage)?;
        let segment = parts.next().and_then(|part| part.strip_prefix('s')?.parse().ok()).ok_or_else(usage)?;
        let document = Path::new(PLAN_FILES).join("job/job.json");
        let machine = |why: String| (Exit::Machine, format!("{}: {why}", document.display()));
        let bytes = fs::read(&document).map_err(|error| machine(error.to_string()))?;
        let job = Job::from_json(&bytes).map_err(|error| machine(error.to_string()))?;
        let segments = job.chain.as_ref().map_or(0, crate::plan::Chain::segments);
        if chunk >= job.cut.chunks() || segment == 0 || segment > segments {
            return Err(usage());
        }
        let items = job.cut.chunk(job.space.count(), chunk);
        Ok(Self { job, chunk, segment, items })
    }

    fn line(&self, check: Check) -> Result<Line, Failed> {
        let outputs = Path::new("outputs");
        let line = chain::line(outputs, &self.job, self.chunk, self.items, check);
        let line = line.map_err(|error| (Exit::Machine, format!("{}: {error}", outputs.display())))?;
        tell(&line.set_aside);
        Ok(line)
    }

    /// Joins the results of a chain that has ended, unless that has been done.
    fn join(&self, line: &Line) -> Result<(), Failed> {
        let outputs = Path::new("outputs");
        if chain::is_joined(outputs, self.chunk, line) {
            return Ok(());
        }
        chain::join(outputs, self.chunk, line).map_err(|error| (Exit::Machine, super::exec::in_one_line(&error)))
    }
}

/// `before NODE`: success where there is something to compute.
pub(super) fn before(node: &str) -> Result<Exit, Failed> {
    let node = Node::read(node)?;
    let segments = node.job.chain.as_ref().map_or(0, crate::plan::Chain::segments);
    let root = Path::new("");
    // Reading all of them before every segment would be dear; at the start of a submission and before the end it has to be.
    let is_edge = node.segment == 1 || node.segment == segments;
    let mut line = node.line(if is_edge { Check::All } else { Check::Last })?;
    if line.is_complete(&node.job) && !is_edge {
        line = node.line(Check::All)?;
    }
    if line.is_complete(&node.job) {
        node.join(&line)?;
        return Ok(Exit::NothingLeft);
    }
    if line.reached() >= node.segment {
        return Ok(Exit::NothingLeft);
    }
    let handed = chain::hand_over(root, node.chunk, node.segment, &line);
    handed.map(|()| Exit::Success).map_err(|error| (Exit::Machine, super::exec::in_one_line(&error)))
}

/// `after RETURN NODE`: success where the segment counts.
pub(super) fn after(status: &str, node: &str) -> Result<Exit, Failed> {
    let status: i64 = status.parse().map_err(|_| (Exit::Usage, "after takes $RETURN and $JOB".to_owned()))?;
    let node = Node::read(node)?;
    if status != 0 {
        let broken = stop_if_broken(&node.job).map_err(|error| (Exit::StopDag, error.to_string()))?;
        if broken {
            return Ok(Exit::StopDag);
        }
        // A state that was damaged while it was used is another's to compute again.
        let is_damaged = !node.line(Check::All)?.set_aside.is_empty();
        return Ok(if is_damaged { Exit::StateDamaged } else { Exit::SegmentFailed });
    }
    let mut line = node.line(Check::Last)?;
    if line.is_complete(&node.job) {
        line = node.line(Check::All)?;
    }
    let is_complete = line.is_complete(&node.job);
    if !is_complete && line.reached() < node.segment {
        let Node { chunk, segment, .. } = node;
        return Err((Exit::StateDamaged, format!("chunk {chunk}: no whole state of segment {segment} has come back")));
    }
    if is_complete {
        node.join(&line)?;
    }
    let taken = chain::take_back(Path::new(""), node.chunk, node.segment);
    taken.map(|()| Exit::Success).map_err(|error| (Exit::Machine, super::exec::in_one_line(&error)))
}

/// Notes what was found damaged, for people.
fn tell(set_aside: &[SetAside]) {
    for SetAside { path, segment, why } in set_aside {
        let what = format!("segment {segment}: {}: {why}; it is computed again\n", path.display());
        // Nobody may be there to read it, and it is not needed.
        let _ = std::io::stderr().write_all(what.as_bytes());
        let file = File::options().append(true).create(true).open(DAMAGED);
        let _ = file.and_then(|mut file| file.write_all(what.as_bytes()));
    }
}
