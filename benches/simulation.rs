//! Times simulations of plans on pools: one of a large plan, and the forecast of a small one.
//!
//! ```text
//! cargo bench --bench simulation
//! ```

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark's table; it stops where it cannot go on")]

use std::hint::black_box;
use std::time::Instant;

use split::model::{Chance, Interruptions, PoolModel, Tries, Work, forecast, simulate};

/// The median of so many.
const TIMES: usize = 5;

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

fn main() {
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
    println!("one simulation of 100,000 chunks on 10,000 slots   {once:7.3} s   (aim: 2 s)");
    let (small, slots) = (work(60), pool(60));
    let often = median(|seed| {
        black_box(forecast(&small, &slots, seed));
    });
    println!("1,000 simulations of 60 chunks on 60 slots         {often:7.3} s   (aim: 1 s)");
}
