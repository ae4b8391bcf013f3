//! `split site`.

use std::io::{self, Write};
use std::path::Path;

use super::Done;
use super::arguments::SiteOptions;
use super::failure::{Failure, printed};
use super::jobs;
use crate::exit::Exit;
use crate::site::{Asked, EXAMPLES, Origin, Place, Row, Site, example, rows};

pub(super) fn site(options: &SiteOptions) -> Done {
    let text = match &options.example {
        Some(name) => example(name).ok_or_else(|| {
            let names: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
            Failure::new(Exit::Usage, format!("--example {name}: there is no such example"))
                .help(format!("there are {}", names.join(", ")))
        })?,
        None => &describe(&jobs::site(options.site.as_deref())?),
    };
    printed(io::stdout().lock().write_all(text.as_bytes()))
}

/// The places, the settings and how to go on.
fn describe(site: &Site) -> String {
    let mut text =
        "Looked for, one after another; what is later wins, lists add up, options of the command line win over all:\n"
            .to_owned();
    for place in &site.places {
        text.push_str(&format!("  {:<9}  {}\n", if place.found { "read" } else { "not there" }, shown(place)));
    }
    text.push('\n');
    let rows = rows(&site.profile);
    let key = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let value = rows.iter().map(|row| row.value.chars().count()).max().unwrap_or(0);
    let mut before = "";
    for Row { key: name, value: what, origin } in &rows {
        // A list's name stands before its first line alone.
        let name_once = if *name == before { "" } else { name };
        before = name;
        let from = origin.map_or_else(|| "built in".to_owned(), Origin::to_string);
        text.push_str(&format!("{name_once:key$}  {what:value$}  {from}\n"));
    }
    let names: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    text.push_str(&format!("\nA profile to start from ({}): split site --example {}\n", names.join(", "), names[0]));
    text
}

fn shown(place: &Place) -> String {
    let path = if place.path == Path::new("") { "''".into() } else { place.path.display().to_string() };
    if place.asked == Asked::Named { format!("--site {path}") } else { path }
}
