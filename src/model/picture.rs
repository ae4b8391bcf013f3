//! Pictures of forecasts, as SVG.

use std::fmt::Write;

use super::{Attempt, Choice, Ended};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// The colours of what counts, of what was lost, and of what failed.
const DONE: &str = "#31a354";
const LOST: &str = "#de2d26";
const FAILED: &str = "#fd8d3c";
/// What is left around the plot for labels: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (70.0, 20.0, 36.0, 46.0);
/// Two labels of an axis are so far apart at least, across and up.
const APART: (f64, f64) = (52.0, 24.0);
/// Times that a label may name, in seconds.
const TICKS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0,
    86_400.0, 172_800.0, 432_000.0, 864_000.0,
];
/// Slots that the timeline has room for.
const MOST_SLOTS: usize = 60;

/// The completion (median, and from the 10th to the 90th of a hundred) against the chunks' length, both on logarithmic axes.
/// Lengths that never complete are left out, and where none is left it is said why; `time` writes seconds for people.
#[must_use]
pub fn completion_against_length(choices: &[Choice], time: &dyn Fn(f64) -> String) -> String {
    let points: Vec<[f64; 4]> = choices
        .iter()
        .map(|choice| {
            let at = |share| choice.forecast.completion.at(share);
            [choice.length, at(0.1), at(0.5), at(0.9)]
        })
        .filter(|point| point.iter().all(|value| value.is_finite() && *value > 0.0))
        .collect();
    let mut svg = open("completion against the length of a chunk: the median, and 10 to 90 % of the time");
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        let why = if choices.is_empty() {
            "there is no other way to cut it"
        } else {
            "no length is always done on this pool"
        };
        label(&mut svg, WIDTH / 2.0, HEIGHT / 2.0, "middle", why);
        return close(svg);
    };
    let least = points.iter().map(|point| point[1]).fold(f64::INFINITY, f64::min);
    let most = points.iter().map(|point| point[3]).fold(0.0, f64::max);
    let across = |length: f64| scale(length.ln(), (first[0].ln(), last[0].ln()), (MARGIN.0, WIDTH - MARGIN.1));
    let up = |value: f64| scale(value.ln(), (least.ln(), most.ln()), (HEIGHT - MARGIN.3, MARGIN.2));
    let place = |length: f64, value: f64| format!("{:.1},{:.1}", across(length), up(value));
    let band: Vec<_> = points
        .iter()
        .map(|point| place(point[0], point[1]))
        .chain(points.iter().rev().map(|point| place(point[0], point[3])))
        .collect();
    let _ = writeln!(svg, "<polygon points=\"{}\" fill=\"#9ecae1\" fill-opacity=\"0.6\"/>", band.join(" "));
    let median: Vec<_> = points.iter().map(|point| place(point[0], point[2])).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#08519c\" stroke-width=\"2\"/>",
        median.join(" ")
    );
    for point in &points {
        let x = across(point[0]);
        let y = up(point[2]);
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#08519c\"/>");
    }
    let mut free = 0.0;
    for point in &points {
        let x = across(point[0]);
        if x >= free {
            label(&mut svg, x, HEIGHT - MARGIN.3 + 18.0, "middle", &time(point[0]));
            free = x + APART.0;
        }
    }
    label(&mut svg, f64::midpoint(MARGIN.0, WIDTH - MARGIN.1), HEIGHT - 8.0, "middle", "length of a chunk");
    // The ends, and round times where there is room between.
    let mut labels = vec![least, most];
    for tick in TICKS {
        if tick > least && tick < most && labels.iter().all(|value| (up(*value) - up(tick)).abs() >= APART.1) {
            labels.push(tick);
        }
    }
    for value in labels {
        let y = up(value);
        let (from, to) = (MARGIN.0, WIDTH - MARGIN.1);
        let _ = writeln!(svg, "<line x1=\"{from}\" y1=\"{y:.1}\" x2=\"{to}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>");
        label(&mut svg, MARGIN.0 - 6.0, y + 4.0, "end", &time(value));
    }
    close(svg)
}

/// What ran where and when: a row for each of the first slots, green for what counts, red for what was lost to an eviction, orange for
/// what failed. Of an attempt with slices that was evicted a part may be green.
#[must_use]
pub fn slots_over_time(attempts: &[Attempt], time: &dyn Fn(f64) -> String) -> String {
    let mut svg = open("slots over time");
    let shown = || attempts.iter().filter(|attempt| attempt.slot < MOST_SLOTS);
    let end = shown().map(|attempt| attempt.stop).fold(0.0, f64::max);
    let slots = shown().map(|attempt| attempt.slot + 1).max().unwrap_or(0);
    if slots == 0 || end <= 0.0 {
        return close(svg);
    }
    let across = |moment: f64| scale(moment, (0.0, end), (MARGIN.0, WIDTH - MARGIN.1));
    let row = (HEIGHT - MARGIN.2 - MARGIN.3) / slots as f64;
    for attempt in shown() {
        let y = MARGIN.2 + row * attempt.slot as f64;
        let height = (row - 0.6).max(0.4);
        let lost = match attempt.ended {
            Ended::Done => DONE,
            Ended::Interrupted => LOST,
            Ended::Failed => FAILED,
        };
        let until = attempt.start + attempt.kept;
        let parts = [(attempt.start, until, DONE), (until, attempt.stop, lost)];
        for (start, stop, colour) in parts.into_iter().filter(|(start, stop, _)| stop > start) {
            let x = across(start);
            // A gap to what comes next on the slot.
            let gap = if stop < attempt.stop { 0.0 } else { 0.5 };
            let width = (across(stop) - x - gap).max(0.2);
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
            );
        }
    }
    for (place, (colour, what)) in (0u8..).zip([(DONE, "counts"), (LOST, "lost to an eviction"), (FAILED, "failed")]) {
        let x = WIDTH - MARGIN.1 - 320.0 + 90.0 * f64::from(place) + if place > 1 { 70.0 } else { 0.0 };
        let y = MARGIN.2 - 23.0;
        let _ = writeln!(svg, "<rect width=\"10\" height=\"10\" x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\"/>");
        label(&mut svg, x + 15.0, y + 9.0, "start", what);
    }
    for quarter in 0..=4 {
        let moment = end * f64::from(quarter) / 4.0;
        label(&mut svg, across(moment), HEIGHT - MARGIN.3 + 18.0, "middle", &time(moment));
    }
    label(&mut svg, MARGIN.0 - 6.0, MARGIN.2 + 10.0, "end", "slot 1");
    label(&mut svg, MARGIN.0 - 6.0, HEIGHT - MARGIN.3, "end", &format!("slot {slots}"));
    close(svg)
}

fn open(title: &str) -> String {
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">"
    );
    let _ = writeln!(svg, "<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
    label(&mut svg, MARGIN.0, MARGIN.2 - 14.0, "start", title);
    svg
}

fn close(mut svg: String) -> String {
    svg.push_str("</svg>\n");
    svg
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Carries `value` from one stretch to another in a straight line; to its middle where there is no stretch.
fn scale(value: f64, from: (f64, f64), to: (f64, f64)) -> f64 {
    let length = from.1 - from.0;
    if length == 0.0 { f64::midpoint(to.0, to.1) } else { to.0 + (value - from.0) / length * (to.1 - to.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chance, Forecast, Interruptions, PoolModel, Quantiles, Work, alternatives, simulate};

    fn time(seconds: f64) -> String {
        format!("{seconds:.0} s")
    }

    #[test]
    fn pictures_are_well_formed_and_the_same_each_time() {
        let rate = Interruptions::Rate { between: 3600.0 };
        let pool = PoolModel::new(4, 20.0).and_then(|pool| pool.interruptions(rate, 0.0)).expect("a pool");
        let mut attempts = Vec::new();
        let mut chance = Chance::new(1);
        simulate(&Work { chunks: vec![300.0; 9], kept: None, tries: None }, &pool, &mut chance, &mut |attempt| {
            attempts.push(attempt)
        });
        let slots = slots_over_time(&attempts, &time);
        assert_eq!(slots.matches("<rect x=").count(), attempts.len());
        // With slices, what an eviction leaves counts up to the last of them.
        let mut parts = 0;
        let mut sliced = Vec::new();
        simulate(
            &Work { chunks: vec![3000.0; 9], kept: Some(300.0), tries: None },
            &pool,
            &mut Chance::new(1),
            &mut |attempt| sliced.push(attempt),
        );
        for attempt in &sliced {
            parts += usize::from(attempt.kept > 0.0) + usize::from(attempt.start + attempt.kept < attempt.stop);
        }
        assert!(parts > sliced.len(), "some were evicted after a slice");
        assert_eq!(slots_over_time(&sliced, &time).matches("<rect x=").count(), parts);
        let work = Work { chunks: vec![600.0; 20], kept: None, tries: None };
        let choices = alternatives(&work, &pool, 10.0, 10_000, 1).lengths;
        let lengths = completion_against_length(&choices, &time);
        assert_eq!(lengths.matches("<circle").count(), choices.len());
        let never = Choice {
            length: 60.0,
            chunks: 3,
            forecast: Forecast {
                completion: Quantiles::new(vec![f64::INFINITY; 3]),
                goodput: 0.0,
                badput: 1.0,
                interrupted: 9.0,
            },
        };
        assert!(completion_against_length(&[never], &time).contains("no length is always done on this pool"));
        assert!(completion_against_length(&[], &time).contains("there is no other way to cut it"));
        for svg in [slots, lengths, slots_over_time(&[], &time), completion_against_length(&[], &time)] {
            assert!(
                svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }
}
