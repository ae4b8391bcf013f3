//! Progress bars: on a terminal, for what takes over a moment; silent in a pipe.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What ends sooner needs no bar: it would only flicker.
const MOMENT: Duration = Duration::from_millis(700);

/// A bar over `length` steps of `what`. Off a terminal it draws nothing.
pub(super) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let template = "{msg} {wide_bar} {human_pos}/{human_len} {elapsed} (left {eta})";
    in_a_moment(ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden()), what, template)
}

/// A sign of life for what has no known length.
pub(super) fn spinner(what: &'static str) -> ProgressBar {
    in_a_moment(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()), what, "{spinner} {msg} {elapsed}")
}

/// Shows the bar unless it is done by then, and keeps its clock going while nothing ends.
fn in_a_moment(bar: ProgressBar, what: &'static str, template: &str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    let later = bar.downgrade();
    std::thread::spawn(move || {
        std::thread::sleep(MOMENT);
        if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            bar.enable_steady_tick(Duration::from_millis(500));
        }
    });
    bar
}
