//! What differs between two plans.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::{JobFile, Keeping, Plan, Probe, Size, Word};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is, as the user named it.
    pub what: String,
    /// As the plan in the folder has it.
    pub before: String,
    /// As it is now.
    pub now: String,
}

/// What differs between the plan in the folder and the one that is wanted, for people; empty where they are the
/// same. How often the folder was planned does not count.
#[must_use]
pub fn differences(before: &Plan, now: &Plan) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |what: &str, before: String, now: String| {
        if before != now {
            found.push(Difference { what: what.to_owned(), before, now });
        }
    };
    let command = |plan: &Plan| plan.command.as_ref().map_or("none".to_owned(), ToString::to_string);
    // Of long lists the identity tells.
    let rows = |plan: &Plan| {
        let listed = plan.space.listed().into_iter();
        let listed = listed.map(|it| format!("{} ({})", it.names.join(", "), it.content.short()));
        listed.collect::<Vec<_>>().join("; ")
    };
    let words = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join("; ") };
    differ("items", before.space.to_string(), now.space.to_string());
    differ("the items' values", rows(before), rows(now));
    let expected =
        |plan: &Plan| plan.expected.map_or("unknown".to_owned(), |time| format!("{} s", time as f64 / 1000.0));
    differ("what the items take", expected(before), expected(now));
    differ("chunks", before.cut.chunks().to_string(), now.cut.chunks().to_string());
    if before.cut != now.cut && before.cut.chunks() == now.cut.chunks() {
        differ("the items of the chunks", "cut otherwise".to_owned(), "cut anew".to_owned());
    }
    differ("command", command(before), command(now));
    differ("--seed", before.yields.seed.to_string(), now.yields.seed.to_string());
    differ("--stdin-items", before.yields.stdin_items.to_string(), now.yields.stdin_items.to_string());
    let collect = |plan: &Plan| plan.yields.collect.iter().map(|pattern| pattern.word().quoted()).collect::<Vec<_>>();
    differ("--collect", words(&collect(before)), words(&collect(now)));
    let expect = |plan: &Plan| plan.yields.expect.iter().map(|name| name.word().quoted()).collect::<Vec<_>>();
    differ("--expect", words(&expect(before)), words(&expect(now)));
    differ("--reduce", before.reduce.to_string(), now.reduce.to_string());
    let fan_in = |plan: &Plan| plan.fan_in.map_or("none".to_owned(), |fan_in| fan_in.get().to_string());
    differ("--fan-in", fan_in(before), fan_in(now));
    differ("--by", words(&before.by), words(&now.by));
    let to = |plan: &Plan| plan.to.as_ref().map_or("standard output".to_owned(), Word::quoted);
    differ("--to", to(before), to(now));
    let tolerance = |plan: &Plan| plan.tolerance.map_or("none".to_owned(), |share| share.to_string());
    differ("--tolerance", tolerance(before), tolerance(now));
    let sources = |plan: &Plan| plan.sources.iter().map(Word::quoted).collect::<Vec<_>>();
    differ("the files with the items", words(&sources(before)), words(&sources(now)));
    differ("the folder that was planned in", before.base.quoted(), now.base.quoted());
    let (was, is) = (&before.resources, &now.resources);
    differ("--cpus", was.cpus.to_string(), is.cpus.to_string());
    // Where items are tried on the pool, what is not said is still to be found out.
    let at_least = |size: Size, is_said: fn(&Probe) -> bool, plan: &Plan| match &plan.pacing.probe {
        Some(probe) if !is_said(probe) => format!("{size} at least"),
        _ => size.to_string(),
    };
    let memory = |plan: &Plan| at_least(plan.resources.memory, |probe| probe.memory_is_said, plan);
    differ("--memory", memory(before), memory(now));
    let most = |size: Option<Size>| size.map_or("none".to_owned(), |size| size.to_string());
    differ("--memory-max", most(was.memory_max), most(is.memory_max));
    let disk = |plan: &Plan| at_least(plan.resources.disk, |probe| probe.disk_is_said, plan);
    differ("--disk", disk(before), disk(now));
    differ("--retries", was.retries.to_string(), is.retries.to_string());
    let halt = |halt: Option<u64>| halt.map_or("as usual".to_owned(), |halt| halt.to_string());
    differ("--halt", halt(was.halt), halt(is.halt));
    let seconds = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    differ("--held-for", seconds(was.held_for()), seconds(is.held_for()));
    differ("--tail-rounds", before.tail_rounds.to_string(), now.tail_rounds.to_string());
    let (pace_was, pace_is) = (&before.pacing, &now.pacing);
    differ("--slices", pace_was.slices.to_string(), pace_is.slices.to_string());
    let time = |milliseconds: Option<u64>| match milliseconds.map(Duration::from_millis) {
        None => "none".to_owned(),
        Some(time) => humantime::format_duration(time).to_string(),
    };
    differ("--item-timeout", time(pace_was.item_timeout), time(pace_is.item_timeout));
    differ("--budget", time(pace_was.budget), time(pace_is.budget));
    differ("--eviction-every", time(pace_was.eviction_every), time(pace_is.eviction_every));
    let keeping = |keeping: Option<Keeping>| keeping.map_or("none".to_owned(), |keeping| keeping.to_string());
    differ("--checkpoint", keeping(pace_was.checkpoint), keeping(pace_is.checkpoint));
    let probe = |probe: Option<Probe>| match probe {
        None => "none".to_owned(),
        // Who says how much memory and disk is told with these.
        Some(Probe { budget, target, slice, again: _, memory_is_said: _, disk_is_said: _ }) => {
            format!("{} each, for chunks of {} in slices of {}", time(Some(budget)), time(Some(target)), time(slice))
        }
    };
    differ("--probe-on-pool", probe(pace_was.probe), probe(pace_is.probe));
    let container = |name: &Option<String>| name.clone().unwrap_or("none".to_owned());
    differ("--gpus", was.gpus.to_string(), is.gpus.to_string());
    differ("how GPUs are asked for", words(&was.gpu_lines), words(&is.gpu_lines));
    differ("--container", container(&was.container), container(&is.container));
    differ("--container-mode", was.container_mode.to_string(), is.container_mode.to_string());
    differ("how containers are asked for", words(&was.container_lines), words(&is.container_lines));
    differ("the requirements of --submit", words(&was.requirements), words(&is.requirements));
    differ("--shared-filesystem", was.shared_filesystem.to_string(), is.shared_filesystem.to_string());
    differ("--submit", words(&was.submit), words(&is.submit));
    let (site_was, site_is) = (&before.site, &now.site);
    differ("the site's submit", words(&site_was.submit), words(&site_is.submit));
    differ("the site's requirements", words(&site_was.requirements), words(&site_is.requirements));
    differ("--reduce-on", site_was.reduce_on.to_string(), site_is.reduce_on.to_string());
    let number = |limit: Option<u32>| limit.map_or("not set".to_owned(), |limit| limit.to_string());
    let (was_throttles, is_throttles) = (&site_was.throttles, &site_is.throttles);
    for (what, was, is) in [
        ("the site's max-idle", was_throttles.max_idle, is_throttles.max_idle),
        ("the site's max-jobs", was_throttles.max_jobs, is_throttles.max_jobs),
        ("the site's max-submits", was_throttles.max_submits, is_throttles.max_submits),
        ("the site's max-scripts", was_throttles.max_scripts, is_throttles.max_scripts),
        (
            "the site's threads",
            site_was.access_point.threads.map(u32::from),
            site_is.access_point.threads.map(u32::from),
        ),
        (
            "the site's niceness",
            site_was.access_point.niceness.map(u32::from),
            site_is.access_point.niceness.map(u32::from),
        ),
    ] {
        differ(what, number(was), number(is));
    }
    differ("the templates", before.templates.short(), now.templates.short());
    let word = |word: &Option<Word>| word.as_ref().map_or("none".to_owned(), Word::quoted);
    differ("--setup", word(&before.setup), word(&now.setup));
    if was.shared_filesystem == is.shared_filesystem {
        differ("the home", word(&before.home), word(&now.home));
    }
    let folders = |plan: &Plan| plan.files.folders.iter().map(Word::quoted).collect::<Vec<_>>();
    differ("empty folders", words(&folders(before)), words(&folders(now)));
    differ("the folder that the program starts in", before.files.start_in.quoted(), now.files.start_in.quoted());
    // Values may be secrets: the names alone.
    by_key(&before.environment, &now.environment, |name, before, now| {
        found.push(Difference { what: format!("the variable {name}"), before: before.to_owned(), now: now.to_owned() });
    });
    let links = |plan: &Plan| -> BTreeMap<Word, Word> {
        plan.files.links.iter().map(|link| (link.place.clone(), link.target.clone())).collect()
    };
    by_key(&links(before), &links(now), |place, before, now| {
        let (before, now) = (before.to_owned(), now.to_owned());
        found.push(Difference { what: format!("the link {}", place.quoted()), before, now });
    });
    let environments = |plan: &Plan| -> BTreeMap<Word, Vec<Word>> {
        let mut olds: BTreeMap<Word, Vec<Word>> = BTreeMap::new();
        for environment in &plan.files.environments {
            olds.entry(environment.place.clone()).or_default().push(environment.was.clone());
        }
        olds
    };
    by_key(&environments(before), &environments(now), |place, before, now| {
        let (before, now) = (before.to_owned(), now.to_owned());
        found.push(Difference { what: format!("where the environment {} was made", place.quoted()), before, now });
    });
    let urls = |plan: &Plan| -> BTreeMap<String, Word> {
        plan.files.urls.iter().map(|url| (url.url.clone(), url.place.clone())).collect()
    };
    by_key(&urls(before), &urls(now), |url, before, now| {
        let (before, now) = (before.to_owned(), now.to_owned());
        found.push(Difference { what: format!("the URL {url}"), before, now });
    });
    let places = |plan: &Plan| -> BTreeMap<Word, (crate::plan::Identity, Word)> {
        let entry = |file: &JobFile| (file.place.clone(), (file.content, file.source.clone()));
        plan.files.files.iter().map(entry).collect()
    };
    by_key(&places(before), &places(now), |place, before, now| {
        let (before, now) = (before.to_owned(), now.to_owned());
        found.push(Difference { what: format!("the file {}", place.quoted()), before, now });
    });
    if found.is_empty() && before.identity != now.identity {
        // As many items, and other ones.
        found.push(Difference {
            what: "what the items are".to_owned(),
            before: before.identity.short(),
            now: now.identity.short(),
        });
    }
    found
}

/// Calls `differ` with every key whose values differ, and what became of it.
fn by_key<K: Ord, V: PartialEq>(before: &BTreeMap<K, V>, now: &BTreeMap<K, V>, mut differ: impl FnMut(&K, &str, &str)) {
    for (key, value) in before {
        match now.get(key) {
            None => differ(key, "there", "gone"),
            Some(new) if new != value => differ(key, "as it was", "changed"),
            Some(_) => {}
        }
    }
    for key in now.keys().filter(|key| !before.contains_key(key)) {
        differ(key, "not there", "new");
    }
}
