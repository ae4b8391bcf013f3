//! `--template gromacs`: what a .tpr says of the run that is in it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::arguments::{ItemsOption, WhatOptions};
use super::chain::{Script, describe_steps, least_common_multiple, steps_of_one};
use super::failure::Failure;
use super::output::say;
use super::request::usage;
use crate::exit::Exit;

/// How a segment is computed.
const SEGMENT: &str = include_str!("../../dag-templates/gromacs/segment.sh");

/// What one segment hands to the next.
const STATE: &str = "state.cpt";

/// What a segment yields.
const FILES: &str = "*.part[0-9][0-9][0-9][0-9].*";

/// What of the options stands for a chain. What the .tpr says of its run is said.
pub(super) fn expand(options: &mut WhatOptions, segments: u32, script: &mut Script) -> Result<(), Failure> {
    if options.tpr.is_empty() {
        return Err(usage("--template gromacs: of which run?").help("--tpr FILE.tpr, as gmx grompp has written it"));
    }
    if options.replicas.is_some() {
        return Err(usage("--replicas: all replicas of one .tpr are the same trajectory").help(
            "write a .tpr for each with gmx grompp, with a gen-seed and an ld-seed of its own, and name them: --tpr 'water-*.tpr'",
        ));
    }
    let gmx = std::env::var_os("GMX").unwrap_or_else(|| "gmx".into());
    let patterns = options.tpr.iter().filter_map(|pattern| glob::glob(pattern.to_str()?).ok());
    // Those of which the same is to be said.
    let mut alike: Vec<(Parameters, PathBuf, usize)> = Vec::new();
    for tpr in patterns.flatten().flatten() {
        let asked =
            ask(&gmx, &tpr).map_err(|error| Failure::new(Exit::Machine, format!("{} dump: {error}", gmx.display())))?;
        match asked {
            None => {
                let (gmx, tpr) = (gmx.display(), tpr.display());
                say(&format!("note: {gmx} is not here, so that nothing says what is in {tpr}"));
                break;
            }
            Some(Err(error)) => return Err(usage(format!("--tpr {}: {error}", tpr.display()))),
            Some(Ok(parameters)) => match alike.iter_mut().find(|(known, ..)| *known == parameters) {
                Some((_, _, more)) => *more += 1,
                None => alike.push((parameters, tpr, 0)),
            },
        }
    }
    for (parameters, tpr, more) in alike {
        let others = if more > 0 { format!(", and {more} more like it") } else { String::new() };
        say(&format!("{}{others}:\n{}", tpr.display(), parameters.describe(segments).join("\n")));
    }
    options.items.ordered.insert(0, ItemsOption::Files(std::mem::take(&mut options.tpr)));
    script.compute(options, SEGMENT, "{file}", STATE, vec![FILES.to_owned()])
}

/// The parameters of a run that say how its segments are cut, and whether they come out as the run in one go.
#[derive(Clone, Debug, PartialEq)]
struct Parameters {
    /// Steps that are still to be made.
    steps: u64,
    /// The length of a step in ps.
    length: f64,
    /// The steps after which everything that is done every so many steps is due at once.
    together: u64,
    /// kJ/mol/ps, or less than zero where the buffer of the pair list is fixed.
    buffer_tolerance: f64,
}

/// Why a .tpr cannot be cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoParameters {
    /// Not what `gmx dump` prints of one.
    #[error("it is no input of a run")]
    NoRun,
    /// `nsteps = -1`, or nothing left.
    #[error("it has no number of steps")]
    NoEnd,
}

impl Parameters {
    /// Reads what `gmx dump -s` prints, up to the atoms.
    fn read(text: impl BufRead) -> io::Result<Result<Self, NoParameters>> {
        let (mut steps, mut length, mut together, mut buffer_tolerance) = (None, None, 1_u64, -1.0);
        for line in text.lines() {
            let line = line?;
            let mut words = line.split_whitespace();
            let (Some(name), rest) = (words.next(), words.nth(1)) else { continue };
            if name == "topology:" {
                break;
            }
            let Some(value) = rest else { continue };
            match name {
                "nsteps" => steps = value.parse::<i64>().ok(),
                "dt" => length = value.parse().ok(),
                "verlet-buffer-tolerance" => buffer_tolerance = value.parse().unwrap_or(-1.0),
                "nstlist" | "nstcomm" | "nstcalcenergy" | "nstenergy" | "nstxout" | "nstvout" | "nstfout"
                | "nstxout-compressed" | "nsttcouple" | "nstpcouple" => {
                    if let Some(every) = value.parse::<i64>().ok().and_then(|every| u64::try_from(every).ok())
                        && every > 0
                    {
                        together = least_common_multiple(together, every);
                    }
                }
                _ => {}
            }
        }
        let (Some(steps), Some(length)) = (steps, length) else { return Ok(Err(NoParameters::NoRun)) };
        Ok(match u64::try_from(steps) {
            Ok(steps) if steps > 0 => Ok(Self { steps, length, together, buffer_tolerance }),
            _ => Err(NoParameters::NoEnd),
        })
    }

    /// How the run is cut, and what stands in the way of the bits of the run in one go.
    fn describe(&self, segments: u32) -> Vec<String> {
        let picoseconds = |steps: u64| (steps as f64 * self.length * 1e6).round() / 1e6;
        let of_one = steps_of_one(self.steps, self.together, segments);
        let length = format!(": {} ps", picoseconds(of_one));
        let mut lines = describe_steps(self.steps, self.together, segments, &length);
        if self.buffer_tolerance > 0.0 {
            lines.push(format!(
                "  each segment makes its own pair list, for verlet-buffer-tolerance = {}: as good a trajectory, but not to the bit the one of a single run; that takes verlet-buffer-tolerance = -1 with rlist and nstlist, in the .mdp",
                self.buffer_tolerance
            ));
        }
        lines
    }
}

/// What GROMACS, if it is here, says of a .tpr.
fn ask(gmx: &OsStr, tpr: &Path) -> io::Result<Option<Result<Parameters, NoParameters>>> {
    let asked = Command::new(gmx)
        .args(["-quiet", "dump", "-s"])
        .arg(tpr)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        child => child?,
    };
    let out = child.stdout.take().map(|out| Parameters::read(BufReader::new(out)));
    // The atoms, which may be millions, are not waited for.
    let _ = child.kill();
    child.wait()?;
    out.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What GROMACS 2025 prints, in part.
    const DUMPED: &str = "water.tpr:\ninputrec:\n   integrator                     = md\n   dt                             = 0.002\n   nsteps                         = 50000\n   init-step                      = 0\n   nstcomm                        = 100\n   nstcgsteep                     = 1000\n   nstxout                        = 0\n   nstenergy                      = 300\n   nstlist                        = 20\n   verlet-buffer-tolerance        = 0.005\n   ref-p (3x3):\n      ref-p[    0]={ 1.00000e+00,  0.00000e+00,  0.00000e+00}\ntopology:\n   nsteps                         = 7\n";

    fn read(text: &str) -> Result<Parameters, NoParameters> {
        Parameters::read(text.as_bytes()).expect("readable")
    }

    #[test]
    fn parameters_are_those_of_the_run() {
        let expected = Parameters { steps: 50_000, length: 0.002, together: 300, buffer_tolerance: 0.005 };
        assert_eq!(read(DUMPED), Ok(expected));
        assert_eq!(read(""), Err(NoParameters::NoRun));
        assert_eq!(read(&DUMPED.replace("50000", "-1")), Err(NoParameters::NoEnd));
        assert_eq!(read(&DUMPED.replace("50000", "0")), Err(NoParameters::NoEnd));
        assert_eq!(read(&DUMPED.replace("= 20", "= 70")).expect("a run").together, 2100);
    }

    #[test]
    fn what_is_said() {
        let run = read(DUMPED).expect("a run");
        let said = run.describe(12).join("\n");
        assert!(said.contains("50000 steps, 4200 in a segment: 8.4") && said.contains("verlet-buffer-tolerance = -1"));
        assert!(!said.contains("will do"), "{said}");
        let exact = Parameters { buffer_tolerance: -1.0, ..run };
        let said = exact.describe(1000).join("\n");
        assert!(said.contains("167 segments will do") && !said.contains("verlet"), "{said}");
        let short = Parameters { steps: 40, ..exact };
        assert!(short.describe(4).join("\n").contains("1 segment will do"));
    }
}
