//! The progress of a drain: a bar on a terminal, lines elsewhere.

use super::Left;
use crate::out;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is written at most.
const LINE: Duration = Duration::from_secs(1);

/// What was shown so far.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    shown: Option<(Instant, Left)>,
}

impl Progress {
    /// Shows nothing yet.
    pub(super) fn begin() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos} of {len} ended");
        // The bar goes where results do not, so that they can be piped.
        let bar = std::io::stderr().is_terminal().then_some(style).and_then(Result::ok);
        let bar = bar.map(|style| {
            let bar = ProgressBar::new(0).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, shown: None }
    }

    /// Shows what is left of `name`.
    pub(super) fn show(&mut self, name: &str, left: Left) {
        let text = said(name, left);
        match &self.bar {
            Some(bar) => {
                let most = bar.length().unwrap_or(0).max(left.in_flight);
                bar.set_length(most);
                bar.set_position(most - left.in_flight);
                bar.set_message(text);
            }
            None => {
                let is_news = |(at, before): (Instant, Left)| before != left && at.elapsed() >= LINE;
                if self.shown.is_none_or(is_news) {
                    out::text(&text);
                    self.shown = Some((Instant::now(), left));
                }
            }
        }
    }

    /// Clears the bar.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn said(name: &str, left: Left) -> String {
    let grace = match left.grace_s {
        Some(0) => ", grace is over".to_owned(),
        Some(seconds) => format!(", {seconds} s of grace left"),
        None => String::new(),
    };
    format!("{name} is draining: {} in flight{grace}", left.in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_and_what_is_left_of_grace_is_said() {
        let check = |in_flight, grace_s, expected: &str| {
            assert_eq!(said("a", Left { in_flight, grace_s }), format!("a is draining: {expected}"));
        };
        check(3, Some(20), "3 in flight, 20 s of grace left");
        check(1, Some(0), "1 in flight, grace is over");
        check(0, None, "0 in flight");
    }
}
