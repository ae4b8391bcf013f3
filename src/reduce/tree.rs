//! Merging on the way to the answer: the results of a group of chunks, by a job of its own.
//!
//! Invariant: with or without it the answer and all that is said of it are the same to the byte. So a group is merged on
//! the way only where its records are as they usually are; everything else is left to the last merge, which reads the
//! records themselves: what is missing or damaged, results of several versions of the program, results that the
//! reducer does not take.

use std::io;
use std::path::Path;

use super::{MergeError, merge_state};
use crate::plan::Plan;
use crate::record::{Header, Kind, MergedHead, Partials, gather_of, made_of};
use crate::space::{Interval, Rows};

/// Who merges: what a record says of the job that left it.
#[derive(Clone, Copy, Debug)]
pub struct MergingJob<'a> {
    /// The machine.
    pub host: &'a str,
    /// The attempt, unlike every other one.
    pub attempt: &'a str,
}

/// Merges the results of `items`, a group's, from the partials in `folder`: the header and the payload of the record that
/// stands for them, or `None` where they are left to the last merge.
///
/// # Errors
/// Where a file cannot be read at all.
pub fn merge_group(
    plan: &Plan,
    items: Interval,
    folder: &Path,
    rows: &Rows,
    job: MergingJob<'_>,
) -> Result<Option<(Header, Vec<u8>)>, MergeError> {
    let unreadable =
        |source: io::Error| MergeError::File { doing: format!("cannot read {}", folder.display()), source };
    let partials = Partials::list(folder).map_err(unreadable)?;
    let gathered = gather_of(folder, &partials, Vec::new(), plan, &|_| ()).map_err(unreadable)?;
    let Some(code) = gathered.mergeable(items) else { return Ok(None) };
    let state = match merge_state(plan, &gathered, rows) {
        Ok(state) => state,
        Err(error @ MergeError::File { .. }) => return Err(error),
        // The last merge says what is wrong with which result.
        Err(MergeError::BadResult { .. } | MergeError::NoNumber | MergeError::Command { .. }) => None,
    };
    let Some(state) = state else { return Ok(None) };
    let head = MergedHead { made_of: made_of(plan, items, partials.top()), totals: gathered.totals() };
    let header = Header {
        plan: plan.identity,
        code,
        items,
        kind: Kind::Merged,
        seconds: head.totals.seconds(),
        host: job.host.into(),
        attempt: job.attempt.into(),
    };
    Ok(Some((header, head.payload(&state))))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseResult;

    use super::super::laws::{KINDS, computation};
    use super::super::{Answer, ResultDocument, merge};
    use super::*;
    use crate::cut::Cut;
    use crate::plan::testing::plan;
    use crate::plan::{Identity, Shards, Word};
    use crate::record::{self, Cause, Gathered, gather, gather_merged, merged_name, partial_name};
    use crate::space::{Axis, Column, Parameters, Space, Values};

    /// A folder of partials, and the plan that they are of.
    struct Outputs {
        folder: tempfile::TempDir,
        plan: Plan,
    }

    impl Outputs {
        /// One item a chunk.
        fn new(items: usize, fan_in: u64) -> Self {
            let cut = Cut::into_chunks(items as u128, items as u128).expect("a cut");
            let plan = Plan { fan_in: Some(fan_in.try_into().expect("2 or more")), ..plan(&items.to_string(), cut) };
            Self { folder: tempfile::tempdir().expect("a temporary folder"), plan }
        }

        fn path(&self, name: impl AsRef<Path>) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Writes a partial of a chunk; gives its path.
        fn add(&self, chunk: u64, attempt: &str, kind: Kind, payload: &[u8]) -> PathBuf {
            let shard = Shards::folder(self.plan.shards().expect("groups").of(chunk));
            let header = Header {
                plan: self.plan.identity,
                code: Identity::of_bytes(b"code"),
                items: self.plan.chunk(chunk),
                kind,
                seconds: 0.1 * (chunk + 1) as f64,
                host: format!("ep{}", chunk % 3).into(),
                attempt: attempt.into(),
            };
            self.write(Path::new(&shard).join(partial_name(chunk, attempt)), &header, payload)
        }

        fn write(&self, name: impl AsRef<Path>, header: &Header, payload: &[u8]) -> PathBuf {
            let path = self.path(name);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            let mut crc = crc32fast::Hasher::new();
            crc.update(payload);
            let mut bytes = Vec::new();
            record::write(&mut bytes, header, &mut &payload[..], payload.len() as u64, &crc).expect("in memory");
            fs::write(&path, bytes).expect("written");
            path
        }

        /// Merges a group on the way; whether that left a record.
        fn merge_group(&self, group: u64) -> bool {
            let items = self.plan.group(group).expect("a group");
            let folder = self.path(Shards::folder(group));
            let job = MergingJob { host: "ep9", attempt: "0-0" };
            let merged = merge_group(&self.plan, items, &folder, Rows::NONE, job).expect("readable");
            if let Some((header, payload)) = &merged {
                self.write(merged_name(group, "0-0"), header, payload);
            }
            merged.is_some()
        }

        fn groups(&self) -> u64 {
            self.plan.shards().expect("groups").count(self.plan.cut.chunks())
        }

        fn flat(&self) -> Gathered {
            gather(self.folder.path(), &self.plan, &|_| ()).expect("readable")
        }

        fn tree(&self) -> Gathered {
            gather_merged(self.folder.path(), &self.plan, &|_| ()).expect("readable")
        }

        /// result.json.
        fn answer(&self, gathered: &Gathered) -> Result<String, String> {
            let folder = self.folder.path();
            match merge(&self.plan, gathered, Rows::NONE, folder, folder, &|_| ()) {
                Ok(Answer::Value(value)) => {
                    let document = ResultDocument::of_value(&self.plan, gathered, &value);
                    Ok(String::from_utf8(document.to_json()).expect("text"))
                }
                Ok(Answer::File(_)) => panic!("no value"),
                Err(error) => Err(error.to_string()),
            }
        }
    }

    fn sums(fan_in: u64) -> Outputs {
        let outputs = Outputs::new(10, fan_in);
        for chunk in 0..10 {
            outputs.add(chunk, "0-a", Kind::Whole, format!("{chunk}.5\n").as_bytes());
        }
        outputs
    }

    /// What happened beside a chunk's result.
    #[derive(Clone, Copy, Debug)]
    enum Beside {
        Nothing,
        Again,
        Failure,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_tree_does_not_show(
            numbers in computation(),
            fan_in in 2u64..9,
            beside in vec(prop_oneof![6 => Just(Beside::Nothing), 1 => Just(Beside::Again), 1 => Just(Beside::Failure)], 8),
            left_out in vec(prop::bool::weighted(0.2), 8),
        ) {
            for (reductions, results) in KINDS {
                let results = results(&numbers);
                if results.is_empty() {
                    continue;
                }
                let mut outputs = Outputs::new(results.len(), fan_in);
                for (chunk, (result, beside)) in (0..).zip(results.iter().zip(beside.iter().cycle())) {
                    outputs.add(chunk, "0-a", Kind::Whole, result.as_bytes());
                    match beside {
                        Beside::Nothing => {}
                        Beside::Again => drop(outputs.add(chunk, "0-b", Kind::Whole, result.as_bytes())),
                        Beside::Failure => drop(outputs.add(chunk, "0-c", Kind::Failure(Cause::ExitCode(1)), b"words")),
                    }
                }
                let range = outputs.plan.space.clone();
                let values = (0..results.len()).map(|item| Word::from(["a", "b", "007"][item * item % 5 % 3])).collect();
                let kind = Axis::Columns(vec![Column { name: "kind".to_owned(), values: Values::List(values) }]);
                let grid = Space::Parameters(Parameters::new(vec![kind], None).expect("a space"));
                for reduction in *reductions {
                    outputs.plan.reduce = reduction.parse().expect("a reduction");
                    for (space, by) in [(&range, None), (&grid, None), (&grid, Some("kind"))] {
                        outputs.plan.space = space.clone();
                        outputs.plan.by = by.into_iter().map(str::to_owned).collect();
                        let checked = outputs.check(&left_out);
                        checked.map_err(|error| TestCaseError::fail(format!("{reduction} by {by:?}: {error}")))?;
                    }
                }
            }
        }
    }

    impl Outputs {
        /// The answer is the same once groups are merged on the way.
        fn check(&self, left_out: &[bool]) -> TestCaseResult {
            let flat = self.flat();
            prop_assert!(flat.groups.is_empty());
            let expected = self.answer(&flat);
            let all = (0..self.groups()).zip(left_out.iter().cycle());
            let merged: Vec<u64> = all
                .filter(|(_, left_out)| !**left_out)
                .map(|(group, _)| group)
                .filter(|&group| self.merge_group(group))
                .collect();
            let tree = self.tree();
            prop_assert_eq!(tree.groups.len(), merged.len());
            match self.answer(&tree) {
                Ok(answer) => prop_assert_eq!(Ok(answer), expected),
                // Then the results themselves are asked.
                Err(_) => prop_assert!(expected.is_err()),
            }
            for group in merged {
                fs::remove_file(self.path(merged_name(group, "0-0"))).expect("there");
            }
            Ok(())
        }
    }

    #[test]
    fn a_group_is_left_to_the_last_merge_where_there_is_anything_to_say() {
        type Change = fn(&Outputs);
        let changes: [(&str, Change); 7] = [
            ("a missing result", |outputs| {
                fs::remove_file(outputs.path("000000/chunk-000002.0-a.part")).expect("there")
            }),
            ("a damaged partial", |outputs| {
                fs::write(outputs.path("000000/chunk-000002.0-b.part"), "{").expect("written")
            }),
            ("another result", |outputs| drop(outputs.add(2, "0-b", Kind::Whole, b"7\n"))),
            ("a text", |outputs| drop(outputs.add(2, "0-a", Kind::Whole, b"seven\n"))),
            ("results of other items", |outputs| {
                let partial = outputs.add(5, "0-b", Kind::Whole, b"5.5\n");
                fs::rename(partial, outputs.path("000000/chunk-000005.0-b.part")).expect("moved");
            }),
            ("another plan's", |outputs| {
                let header = Header { plan: Identity::of_bytes(b"other"), ..header(outputs, 2) };
                outputs.write("000000/chunk-000002.0-b.part", &header, b"2.5\n");
            }),
            ("another version's", |outputs| {
                let header = Header { code: Identity::of_bytes(b"other"), ..header(outputs, 2) };
                outputs.write("000000/chunk-000002.0-b.part", &header, b"2.5\n");
            }),
        ];
        for (what, change) in changes {
            let outputs = sums(4);
            change(&outputs);
            assert_eq!([0, 1, 2].map(|group| outputs.merge_group(group)), [false, true, true], "{what}");
        }
    }

    fn header(outputs: &Outputs, chunk: u64) -> Header {
        outputs.flat().chosen().nth(chunk as usize).expect("there").record.header.clone()
    }

    #[test]
    fn what_was_merged_counts_as_long_as_the_folder_is_the_same() {
        let mut outputs = sums(4);
        let expected = outputs.answer(&outputs.flat());
        assert!((0..3).all(|group| outputs.merge_group(group)));
        let merged = |outputs: &Outputs| {
            let tree = outputs.tree();
            assert_eq!(outputs.answer(&tree), outputs.answer(&outputs.flat()));
            tree.groups.iter().map(|group| group.items.start()).collect::<Vec<_>>()
        };
        assert_eq!(merged(&outputs), [0, 4, 8]);
        assert_eq!(outputs.answer(&outputs.tree()), expected);
        // One more result, or one less.
        let more = outputs.add(5, "1-b", Kind::Whole, b"5.5\n");
        assert_eq!(merged(&outputs), [0, 8]);
        fs::remove_file(&more).expect("there");
        assert_eq!(merged(&outputs), [0, 4, 8]);
        let hidden = outputs.path("000001/chunk-000005.0-a.part.bad");
        fs::rename(outputs.path("000001/chunk-000005.0-a.part"), &hidden).expect("moved");
        assert_eq!(merged(&outputs), [0u128; 0], "what is missing is told of the records");
        fs::rename(&hidden, outputs.path("000001/chunk-000005.0-a.part")).expect("moved");
        // A result at the top that claims the same items, and one that is damaged.
        let top = outputs.path("chunk-000009.9-x.part");
        fs::copy(outputs.path("000002/chunk-000009.0-a.part"), &top).expect("copied");
        assert_eq!(merged(&outputs), [0u128; 0]);
        fs::write(&top, "{").expect("written");
        assert_eq!(merged(&outputs), [0u128; 0]);
        fs::remove_file(&top).expect("there");
        // Another reducer, and another size of groups.
        outputs.plan.reduce = "max".parse().expect("a reduction");
        assert_eq!(merged(&outputs), [0u128; 0]);
        outputs.plan.reduce = "sum".parse().expect("a reduction");
        outputs.plan.fan_in = Some(5.try_into().expect("2 or more"));
        assert_eq!(merged(&outputs), [0u128; 0]);
        outputs.plan.fan_in = Some(4.try_into().expect("2 or more"));
        assert_eq!(merged(&outputs), [0, 4, 8]);
        // A group that another version of the program computed.
        for chunk in 4..8 {
            let header = Header { code: Identity::of_bytes(b"mended"), ..header(&outputs, chunk) };
            outputs.write(format!("000001/chunk-00000{chunk}.0-a.part"), &header, format!("{chunk}.5\n").as_bytes());
        }
        assert!(outputs.merge_group(1));
        assert_eq!(merged(&outputs), [0u128; 0]);
    }

    #[test]
    fn a_damaged_record_of_merged_results_is_none() {
        let outputs = sums(4);
        assert!((0..3).all(|group| outputs.merge_group(group)));
        let path = outputs.path(merged_name(1, "0-0"));
        let whole = fs::read(&path).expect("read");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).expect("written");
            assert_eq!(outputs.tree().groups.len(), 2, "{length}");
        }
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1;
            fs::write(&path, flipped).expect("written");
            assert_eq!(outputs.tree().groups.len(), 2, "{byte}");
        }
        // Of several, one that is whole will do; and one that is another group's is none of this one.
        fs::write(outputs.path(merged_name(1, "1-0")), &whole).expect("written");
        assert_eq!(outputs.tree().groups.len(), 3);
        fs::write(outputs.path(merged_name(2, "0-0")), &whole).expect("written");
        assert_eq!(outputs.tree().groups.len(), 2);
    }

    #[test]
    fn a_state_of_another_reducer_is_refused() {
        let mut outputs = sums(4);
        outputs.plan.reduce = "union".parse().expect("a reduction");
        assert!(outputs.merge_group(1));
        let union = outputs.tree().groups[0].clone();
        let state = union.state().expect("readable");
        outputs.plan.reduce = "top:3".parse().expect("a reduction");
        assert!(outputs.merge_group(1));
        let group = &outputs.tree().groups[0];
        let names = Partials::list(&outputs.path("000001")).expect("listed");
        let head =
            MergedHead { made_of: made_of(&outputs.plan, group.items, names.top()), totals: group.totals.clone() };
        let header = Header { kind: Kind::Merged, items: group.items, ..header(&outputs, 0) };
        outputs.write(merged_name(1, "0-0"), &header, &head.payload(&state));
        let tree = outputs.tree();
        assert_eq!(tree.groups.len(), 1);
        let error = outputs.answer(&tree).expect_err("another reducer's");
        assert!(error.starts_with("cannot use ") && error.ends_with("merged-000001.0-0.part"), "{error}");
    }
}
