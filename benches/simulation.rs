//! Times simulations of plans on pools: one of a large plan, and the forecast of a small one.
//!
//! ```text
//! cargo bench --bench simulation
//! ```
//!
//! It fails where one takes more than twice as long as it is to.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark's table; it stops where it cannot go on")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use split::model::{Chance, Interruptions, PoolModel, Tries, Work, forecast, simulate};

/// The median of so many.
const TIMES: usize = 5;
/// A machine may be busy: so many times as long as a simulation is to take is too long.
const TOO_LONG: f64 = 2.0;

fn median(mut action: impl FnMut(u64)) -> f64 {
    let mut times: Vec<f64> = (0..TIMES as u64)
        .map(|seed| {
            let start = Instant::now();
            action(seed);
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

/// Says what took `seconds` and was to take no longer than `aim`; whether that is near enough.
fn is_near(what: &str, seconds: f64, aim: f64) -> bool {
    let is_near = seconds <= TOO_LONG * aim;
    let missed = if is_near { "" } else { ": missed" };
    println!("{what:<48} {seconds:7.3} s   (aim: {aim} s{missed})");
    is_near
}

fn main() -> ExitCode {
    let pool = |slots| {
        PoolModel::new(slots, 60.0)
            .and_then(|pool| pool.speed_spread(0.2))
            .and_then(|pool| pool.interruptions(Interruptions::Rate { between: 14_400.0 }, 60.0))
            .and_then(|pool| pool.failures(0.01))
            .expect("a pool")
    };
    let work =
        |chunks| Work { chunks: vec![600.0; chunks], kept: None, tries: Some(Tries { retries: 2, tail_rounds: 2 }) };
    let (large, many_slots) = (work(100_000), pool(10_000));
    let once = median(|seed| {
        black_box(simulate(&large, &many_slots, &mut Chance::new(seed), &mut |_| ()));
    });
    let mut all_near = is_near("one simulation of 100,000 chunks on 10,000 slots", once, 2.0);
    let (small, slots) = (work(60), pool(60));
    let often = median(|seed| {
        black_box(forecast(&small, &slots, seed));
    });
    all_near &= is_near("1,000 simulations of 60 chunks on 60 slots", often, 1.0);
    if all_near { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
