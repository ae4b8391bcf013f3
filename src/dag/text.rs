//! The files' text.

use std::io::{self, Write};
use std::ops::Range;
use std::time::Duration;

use minijinja::context;

use super::chain;
use super::node::Node;
use super::tail::{TailDag, tail_dag, tail_name};
use super::templates::{TemplateError, Templates};
use crate::exit::Exit;
use crate::plan::{
    CARRIED, CARRIED_CHECKPOINTS, Chain, ContainerMode, FanIn, PLAN_FILES, Plan, ReduceOn, Resources, Shards, Size,
    SubmitLine,
};
use crate::rows::CHUNKS_A_FOLDER;
use crate::space::Interval;

/// So many of the first chunks show whether the program starts.
const FIRST: u64 = 10;

/// No more of them have a script, which reads what has come back.
const MOST_FIRST: u64 = 100;

/// The partials of so many chunks are merged within 1 GiB.
const CHUNKS_A_GIBIBYTE: u64 = 500_000;

/// Scripts side by side at most where no site says how many: fewer than HTCondor's 20.
pub const SCRIPTS: u32 = 5;

/// A job that may go on after a hold is released after this part of the time that it may be held: 5 minutes of an hour.
const HELD_PARTS: u64 = 12;

/// So many bytes are written at a time.
const BLOCK: usize = 1 << 20;

/// The folder of a chunk's partials, where these are spread over folders: condor_submit fills in the number.
const SHARD: &str = "outputs/$INT(shard,%06d)";
/// The folder of a segment's state, in the same way.
const SEGMENT_FOLDER: &str = "chunk-$INT(chunk,%06d)-s$INT(segment,%04d)";
/// A chunk's rows and files: `rows::chunk_place`.
const CHUNK_FOLDER: &str = "$INT(thousand,%03d)/chunk-$INT(chunk,%06d)";

/// Stand for the nodes and for their names in the rendered plan.dag; no template holds NUL.
const NODES: &str = "\0nodes\0";
const NAMES: &str = "\0names\0";
/// Stands for the nodes that merge on the way, where there are any.
const MERGES: &str = "\0merges\0";

/// The file, in the plan's folder, of the DAG that computes what is left once items have been tried on the pool.
pub const REST_DAG: &str = "rest.dag";
/// The same, where that had to try items once more: nothing had a result when it was written.
pub const REST_AGAIN_DAG: &str = "rest-again.dag";

/// The text of a plan's files; plan.dag is written piece by piece, since it may be large.
#[derive(Clone, Debug)]
pub struct Text {
    chunk_sub: String,
    merge_sub: Option<String>,
    reduce_sub: String,
    dagman_config: String,
    dag: String,
    node: Node,
    /// Of a plan with chains, the nodes of each chunk.
    chains: Option<Templates>,
}

impl Text {
    /// Renders the templates for `plan`.
    ///
    /// # Errors
    /// Where a template is broken, or leaves out what DAGMan has to know.
    pub fn new(plan: &Plan, templates: &Templates) -> Result<Self, TemplateError> {
        let resources = &plan.resources;
        let node = Node::compile(templates.get("node.dag"), plan.generation)?;
        let site = &plan.site;
        let requirements = [&site.requirements[..], &resources.requirements].concat();
        let values = context! {
            chunks => plan.cut.chunks(),
            items => plan.space.count().to_string(),
            space => plan.space.to_string(),
            reduce_name => format!("reduce-g{}", plan.generation),
            nodes => NODES,
            names => NAMES,
            merges => if plan.fan_in.is_some() { MERGES } else { "" },
            fan_in => plan.fan_in.map(FanIn::get),
            first_names => first_names(plan, &node),
            replicas => plan.cut.chunks(),
            segments => plan.chain.as_ref().map(Chain::segments),
            retries => resources.retries,
            stop_code => Exit::StopDag as u8,
            tail_name => (plan.tail_rounds > 0).then(|| tail_name(plan, 1)),
            tail_dag => tail_dag(1),
            rest_name => format!("rest-g{}", plan.generation),
            rest_dag => plan.pacing.probe.map(|probe| if probe.again { REST_AGAIN_DAG } else { REST_DAG }),
            probe_seconds => plan.pacing.probe.map(|probe| in_seconds(probe.budget)),
            target_seconds => plan.pacing.probe.map(|probe| in_seconds(probe.target)),
            tail_rounds => plan.tail_rounds,
            nothing_left_code => Exit::NothingLeft as u8,
            cpus => resources.cpus,
            memory => resources.memory.to_string(),
            memory_mebibytes => resources.memory.mebibytes(),
            memory_max => resources.memory_max.map(Size::mebibytes),
            held_for => resources.held_for(),
            held_wait => resources.held_for() / HELD_PARTS,
            disk => resources.disk.to_string(),
            container => resources.container.clone(),
            container_lines => container_lines(resources),
            apptainer => resources.container.is_some() && resources.container_mode == ContainerMode::Apptainer,
            gpu_lines => resources.gpu_lines.clone(),
            requirements => requirements,
            shared_filesystem => resources.shared_filesystem,
            submit => resources.submit.clone(),
            inputs => inputs(plan),
            chain => plan.chain.is_some(),
            chunk_folders => !plan.space.listed().is_empty(),
            chunks_a_folder => CHUNKS_A_FOLDER,
            shard => plan.shards().map(Shards::size),
            outputs => if plan.shards().is_some() { SHARD } else { "outputs" },
            above => above_partials(plan.shards()),
            log => format!("{}/logs/events.log", above_partials(plan.shards())),
            carried => plan.pacing.keeps().then_some(CARRIED),
            carried_checkpoints => plan.pacing.checkpoint.map(|_| CARRIED_CHECKPOINTS),
            carry_code => Exit::Carry as u8,
            reduce_in_job => site.reduce_on == ReduceOn::Job,
            reduce_memory => reduce_memory(plan).to_string(),
            site_submit => site.submit.clone(),
            site_requirements => site.requirements.clone(),
            max_idle => site.throttles.max_idle,
            max_jobs => site.throttles.max_jobs,
            max_submits => site.throttles.max_submits,
            max_scripts => site.throttles.max_scripts,
            most_scripts => SCRIPTS,
            least_finding => Exit::Missing as u8,
            last_finding => Exit::Mixed as u8,
        };
        if plan.tail_rounds > 0 {
            // It is needed once the chunks have run, and nobody is there then to mend it.
            TailDag::new(plan, templates, 1, 1)?;
        }
        let name = match (&plan.chain, plan.pacing.probe) {
            (Some(_), _) => "chain.dag",
            (None, Some(_)) => "probe.dag",
            (None, None) => "plan.dag",
        };
        if let Some(chain) = &plan.chain {
            chain::nodes(plan, chain, templates, 0, false)?;
        }
        let dag = templates.render(name, &values)?;
        for (mark, variable, least) in [(NODES, "nodes", 1), (NAMES, "names", 1), (MERGES, "merges", 0)] {
            let times = dag.matches(mark).count();
            if times < least || (mark != NAMES && times > 1) {
                let why = format!("the variable `{variable}` is used {times} times");
                return Err(TemplateError { name, line: 1, why });
            }
        }
        Ok(Self {
            chunk_sub: templates.render("chunk.sub", &values)?,
            merge_sub: plan.fan_in.map(|_| templates.render("merge.sub", &values)).transpose()?,
            reduce_sub: templates.render("reduce.sub", &values)?,
            dagman_config: templates.render("dagman.config", &values)?,
            dag,
            node,
            chains: plan.chain.as_ref().map(|_| templates.clone()),
        })
    }

    /// The text of chunk.sub.
    #[must_use]
    pub fn chunk_sub(&self) -> &str {
        &self.chunk_sub
    }

    /// The text of merge.sub, where results are merged on the way.
    #[must_use]
    pub fn merge_sub(&self) -> Option<&str> {
        self.merge_sub.as_deref()
    }

    /// The text of reduce.sub.
    #[must_use]
    pub fn reduce_sub(&self) -> &str {
        &self.reduce_sub
    }

    /// The text of dagman.config.
    #[must_use]
    pub fn dagman_config(&self) -> &str {
        &self.dagman_config
    }

    /// Writes plan.dag. Chunks for which `done` is true are marked as such: DAGMan does not run them. So are nodes that merge
    /// such chunks alone, where `merged` is true for their group.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write_dag(
        &self,
        plan: &Plan,
        done: &(dyn Fn(u64) -> bool + Sync),
        merged: &dyn Fn(u64) -> bool,
        out: &mut (impl Write + Send),
    ) -> io::Result<()> {
        if let Some((chain, templates)) = plan.chain.as_ref().zip(self.chains.as_ref()) {
            return self.write_chains(plan, chain, templates, done, out);
        }
        // Nodes that merge on the way stand before the last merge, unless a template of the user's leaves them out.
        let shards = plan.shards().filter(|_| self.dag.contains(MERGES));
        let groups = shards.map_or(0, |shards| shards.count(plan.cut.chunks()));
        let mut rest = self.dag.as_str();
        while let Some(mark) = rest.find('\0') {
            out.write_all(&rest.as_bytes()[..mark])?;
            rest = &rest[mark..];
            if let Some(after) = rest.strip_prefix(NODES) {
                blocks(plan, out, |text, chunk, items| self.node.append(text, chunk, items, done(chunk)))?;
                rest = after;
            } else if let Some(after) = rest.strip_prefix(MERGES) {
                for group in 0..groups {
                    let chunks = shards.map_or(0..0, |shards| shards.chunks(group, plan.cut.chunks()));
                    let is_done = merged(group) && chunks.clone().all(done);
                    out.write_all(self.merge(group, chunks, is_done).as_bytes())?;
                }
                rest = after;
            } else if let Some(after) = rest.strip_prefix(NAMES) {
                match groups {
                    0 => blocks(plan, out, |text, chunk, _| {
                        if chunk > 0 {
                            text.push(b' ');
                        }
                        self.node.append_name(text, chunk);
                    })?,
                    _ => {
                        let names: Vec<_> = (0..groups).map(|group| self.node.merge_name(group)).collect();
                        out.write_all(names.join(" ").as_bytes())?;
                    }
                }
                rest = after;
            }
        }
        out.write_all(rest.as_bytes())
    }

    /// As [`Self::write_dag`], of a plan with chains.
    fn write_chains(
        &self,
        plan: &Plan,
        chain: &Chain,
        templates: &Templates,
        done: &(dyn Fn(u64) -> bool + Sync),
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut rest = self.dag.as_str();
        while let Some(mark) = rest.find('\0') {
            out.write_all(&rest.as_bytes()[..mark])?;
            rest = &rest[mark..];
            if let Some(after) = rest.strip_prefix(NODES) {
                for chunk in 0..plan.cut.chunks() {
                    let nodes = chain::nodes(plan, chain, templates, chunk, done(chunk));
                    out.write_all(nodes.map_err(io::Error::other)?.as_bytes())?;
                }
                rest = after;
            } else if let Some(after) = rest.strip_prefix(NAMES) {
                chain::last_names(plan, chain, out)?;
                rest = after;
            }
        }
        out.write_all(rest.as_bytes())
    }

    /// The node that merges the results of `chunks` on the way. Whatever becomes of its job, the node succeeds: the last merge
    /// reads itself what was not merged on the way.
    fn merge(&self, group: u64, chunks: Range<u64>, is_done: bool) -> String {
        let name = self.node.merge_name(group);
        let done = if is_done { " DONE" } else { "" };
        let mut text = format!("JOB {name} merge.sub{done}\nVARS {name} group=\"{group}\"\nPARENT").into_bytes();
        for chunk in chunks {
            text.push(b' ');
            self.node.append_name(&mut text, chunk);
        }
        let mut text = String::from_utf8_lossy(&text).into_owned();
        text.push_str(&format!(" CHILD {name}\nSCRIPT POST {name} plan.files/split-runner post 0\n"));
        text
    }
}

/// The way from the folder that a chunk's partials come back to, where the relative paths of its job start, to the
/// plan's folder.
#[must_use]
pub fn above_partials(shards: Option<Shards>) -> &'static str {
    if shards.is_some() { "../.." } else { ".." }
}

/// What is transferred to each job, named from the folder of the partials. What has names of the user's is inside of
/// folders: a name that holds a comma cannot be written there.
fn inputs(plan: &Plan) -> Vec<String> {
    let above = above_partials(plan.shards());
    let mut inputs = vec![format!("{above}/{PLAN_FILES}/job/")];
    if !plan.space.listed().is_empty() {
        inputs.push(format!("{above}/{PLAN_FILES}/chunks/{CHUNK_FOLDER}"));
    }
    if plan.chain.is_some() {
        inputs.push(format!("{above}/{PLAN_FILES}/chain/{SEGMENT_FOLDER}"));
    }
    inputs.extend(plan.files.urls.iter().map(|url| url.url.clone()));
    inputs
}

/// How the submit file asks for a container; no lines for a job that HTCondor starts without one.
fn container_lines(resources: &Resources) -> Vec<String> {
    let Some(image) = &resources.container else { return Vec::new() };
    if resources.container_mode == ContainerMode::Apptainer {
        return Vec::new();
    }
    if resources.container_lines.is_empty() {
        return vec!["universe = container".to_owned(), format!("container_image = {image}")];
    }
    let universe = |line: &String| SubmitLine::parse(line).is_ok_and(|line| line.name.eq_ignore_ascii_case("universe"));
    let mut lines = resources.container_lines.clone();
    if !lines.iter().any(universe) {
        lines.insert(0, "universe = vanilla".to_owned());
    }
    lines
}

/// What merging takes: the partials' names and headers are in memory, their payloads are not.
fn reduce_memory(plan: &Plan) -> Size {
    Size::gibibytes(1 + u32::try_from(plan.cut.chunks() / CHUNKS_A_GIBIBYTE).unwrap_or(u32::MAX - 1))
}

/// Milliseconds as seconds, for people.
fn in_seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}

/// The names of the nodes that DAGMan submits first, and of ever fewer of the others.
fn first_names(plan: &Plan, node: &Node) -> Vec<String> {
    let name = |chunk| {
        let mut name = Vec::new();
        node.append_name(&mut name, chunk);
        String::from_utf8_lossy(&name).into_owned()
    };
    let later = std::iter::successors(Some(2 * FIRST), |chunk| chunk.checked_mul(2));
    // As many as have to fail tell of it as soon as they have.
    let first = plan.resources.halt.unwrap_or(FIRST).clamp(FIRST, MOST_FIRST);
    (0..first)
        .chain(later.skip_while(move |&chunk| chunk < first))
        .take_while(|&chunk| chunk < plan.cut.chunks())
        .map(name)
        .collect()
}

/// Writes what `append` makes of every chunk, in order: the next block of text is made while one is written.
fn blocks(
    plan: &Plan,
    out: &mut (impl Write + Send),
    append: impl Fn(&mut Vec<u8>, u64, Interval) + Sync,
) -> io::Result<()> {
    let mut chunks = plan.cut.iter_from(plan.space.count(), 0);
    let (mut next, mut text) = (Vec::new(), Vec::new());
    loop {
        let (_, written) = rayon::join(
            || {
                next.clear();
                while next.len() < BLOCK
                    && let Some((chunk, items)) = chunks.next()
                {
                    append(&mut next, chunk, items);
                }
            },
            || out.write_all(&text),
        );
        written?;
        if next.is_empty() {
            return Ok(());
        }
        std::mem::swap(&mut next, &mut text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::plan::Throttles;
    use crate::space::{Axis, Listed, Parameters, Space};

    fn plan(total: &str, chunks: u64) -> Plan {
        let space = Space::Range(total.parse().expect("a range"));
        crate::plan::testing::plan(total, Cut::into_chunks(space.count(), chunks.into()).expect("a cut"))
    }

    fn dag(plan: &Plan, templates: &Templates) -> String {
        let mut out = Vec::new();
        let text = Text::new(plan, templates).expect("rendered");
        text.write_dag(plan, &|chunk| chunk == 1, &|_| false, &mut out).expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_generated_files() {
        let mut plan = plan("1..=10", 3);
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        insta::assert_snapshot!("plan.dag", dag(&plan, &Templates::built_in()));
        insta::assert_snapshot!("chunk.sub", text.chunk_sub());
        insta::assert_snapshot!("reduce.sub", text.reduce_sub());
        insta::assert_snapshot!("dagman.config", text.dagman_config());
        plan.resources.container = Some("docker://python:3.13".to_owned());
        plan.resources.shared_filesystem = true;
        plan.resources.submit = vec!["+ProjectName = \"physics\"".to_owned(), "rank = Mips".to_owned()];
        plan.resources.gpus = 2;
        plan.resources.gpu_lines = vec!["request_gpus = 2".to_owned(), "+WantGPULab = true".to_owned()];
        plan.resources.requirements = vec!["HasAVX2 || HasAVX".to_owned()];
        plan.site.requirements = vec!["Arch == \"X86_64\"".to_owned()];
        plan.site.submit = vec!["+JobDurationCategory = \"Medium\"".to_owned()];
        plan.site.throttles =
            Throttles { max_idle: Some(2000), max_jobs: Some(10_000), max_submits: Some(50), max_scripts: Some(2) };
        plan.site.reduce_on = ReduceOn::Job;
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        insta::assert_snapshot!("chunk.sub with everything", text.chunk_sub());
        insta::assert_snapshot!("reduce.sub in a job, nothing transferred", text.reduce_sub());
        insta::assert_snapshot!("dagman.config with everything", text.dagman_config());
        plan.resources.shared_filesystem = false;
        plan.resources.container_mode = ContainerMode::Apptainer;
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        insta::assert_snapshot!("chunk.sub with apptainer", text.chunk_sub());
        insta::assert_snapshot!("reduce.sub in a job", text.reduce_sub());
    }

    #[test]
    fn jobs_on_hold_are_released_or_removed_as_the_plan_says() {
        let mut plan = plan("1..=10", 3);
        plan.resources.memory_max = Some("8GB".parse().expect("a size"));
        plan.resources.held_for = Some(40);
        plan.resources.retries = 5;
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        let part = |from: &str, to: &str| {
            let start = text.chunk_sub().find(from).unwrap_or_else(|| panic!("no {from:?}"));
            let rest = &text.chunk_sub()[start..];
            rest[..rest.find(to).unwrap_or_else(|| panic!("no {to:?}"))].to_owned()
        };
        insta::assert_snapshot!("chunk.sub, memory", part("# In MiB", "request_disk"));
        insta::assert_snapshot!("chunk.sub, holds", part("# DAGMan waits", "# A machine on which"));
    }

    #[test]
    fn many_partials_lie_in_folders() {
        let mut plan = plan("1..=100000", 10_001);
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        insta::assert_snapshot!(
            "chunk.sub with folders",
            text.chunk_sub().split("request_cpus").next().expect("a start")
        );
        plan.resources.shared_filesystem = true;
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        for line in [
            "arguments = \"exec ../../plan.files/job/job.json $(chunk) $(start) $(stop)\"",
            "initialdir = outputs/$INT(shard,%06d)",
        ] {
            assert!(text.chunk_sub().lines().any(|there| there == line), "{}", text.chunk_sub());
        }
    }

    #[test]
    fn chunks_with_rows_are_sent_their_own() {
        let names = vec!["n".to_owned()];
        let listed = Listed { names, rows: 10, content: crate::space::Identity::of_bytes(b""), files: false };
        let mut plan = plan("1..=10", 3);
        plan.space = Space::Parameters(Parameters::new(vec![Axis::Listed(listed)], None).expect("a space"));
        let url = "osdf:///a.csv".to_owned();
        let (arrives, place) = ("a.csv".into(), "a.csv".into());
        plan.files.urls = vec![crate::plan::JobUrl { url, arrives, place }];
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        let lines: Vec<_> = text.chunk_sub().lines().filter(|line| line.contains("thousand")).collect();
        let expected = [
            "thousand = $(chunk) / 1000",
            "transfer_input_files = ../plan.files/job/, \
             ../plan.files/chunks/$INT(thousand,%03d)/chunk-$INT(chunk,%06d), osdf:///a.csv",
        ];
        assert_eq!(lines, expected);
        plan.resources.shared_filesystem = true;
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        assert!(!text.chunk_sub().contains("chunks/"), "{}", text.chunk_sub());
        let folder = crate::rows::chunk_place(17);
        assert_eq!(folder, std::path::Path::new("000/chunk-000017"), "as condor_submit fills it in");
    }

    #[test]
    fn a_site_spells_containers_its_own_way() {
        let mut plan = plan("1..=10", 3);
        plan.resources.container = Some("a.sif".to_owned());
        plan.resources.container_lines = vec!["+Image = \"a.sif\"".to_owned()];
        let text = Text::new(&plan, &Templates::built_in()).expect("rendered");
        assert!(text.chunk_sub().contains("\nuniverse = vanilla\n+Image = \"a.sif\"\n"), "{}", text.chunk_sub());
        assert!(!text.chunk_sub().contains("container_image"), "{}", text.chunk_sub());
    }

    #[test]
    fn blocks_are_in_order_and_whole() {
        let plan = plan("1..=100000", 100_000);
        let text = dag(&plan, &Templates::built_in());
        assert_eq!(text.matches("\nJOB chunk-").count(), 100_000);
        let parents = text.lines().find(|line| line.starts_with("PARENT ")).expect("a PARENT line");
        assert!(parents.split(' ').skip(1).take(100_000).is_sorted());
        assert!(parents.ends_with(" chunk-099999-g1 CHILD tail-g1"));
    }

    #[test]
    fn a_few_of_the_later_chunks_have_a_script_too() {
        let text = dag(&plan("1..=1000", 200), &Templates::built_in());
        let scripts = text.lines().filter_map(|line| line.strip_prefix("SCRIPT POST chunk-"));
        let chunks: Vec<u64> =
            scripts.map(|line| line.split('-').next().and_then(|it| it.parse().ok()).expect("a number")).collect();
        assert_eq!(chunks, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 40, 80, 160]);
    }

    #[test]
    fn a_broken_template_names_line_and_variable() {
        let check = |name: &str, text: &str, message: &str| {
            let mut templates = Templates::built_in();
            templates.replace(name, text.to_owned());
            let error = Text::new(&plan("1..=10", 3), &templates).expect_err(message);
            assert_eq!(error.to_string(), message);
        };
        check("chunk.sub", "a\nb = {{ cpuss }}\n", "template chunk.sub, line 2: there is no variable `cpuss`");
        check("reduce.sub", "{% if %}", "template reduce.sub, line 1: unexpected end of block at `%}`");
        check("plan.dag", "JOB x\n{{ names }}", "template plan.dag, line 1: the variable `nodes` is used 0 times");
    }
}
