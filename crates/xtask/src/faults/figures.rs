//! The figures that nearside has to reach in each fault.

use serde_json::Value;

/// At most so much, in one fault. No GET fails in any.
pub(super) struct Figure {
    /// The driver's name for it.
    pub(super) fault: &'static str,
    /// What happens, in a few words.
    pub(super) title: &'static str,
    /// POSTs that fail, besides those that were on a backend when it was killed.
    post: u64,
    /// Milliseconds at most, by what the driver measures.
    times: &'static [(&'static str, u64)],
}

const fn figure(
    fault: &'static str,
    title: &'static str,
    post: u64,
    times: &'static [(&'static str, u64)],
) -> Figure {
    Figure { fault, title, post, times }
}

/// Every fault, in the table's order. Probes come every 0.5 s, take 0.45 s at most, and two failures count.
pub(super) const FIGURES: &[Figure] = &[
    figure("kill-one", "kill one", 0, &[]),
    figure("stop-one", "stop one (SIGSTOP)", 8, &[("left", 1_300), ("slowest GET", 1_600)]),
    figure("refuse", "refuse", 0, &[]),
    figure("flap", "flap each second", 0, &[]),
    figure("errors", "500 to all, probes too", 3, &[]),
    figure("hidden-errors", "500s, probe fine", 3, &[]),
    figure("drip", "drip", 0, &[("left", 2_000)]),
    figure("kill-tier", "kill a tier", 0, &[("failover", 20)]),
    figure("stop-tier", "stop a tier", 16, &[("failover", 1_300)]),
    figure("errors-tier", "500s by a tier", 6, &[("failover", 30)]),
    figure("reloads", "50 reloads", 0, &[]),
    figure("bad-file", "a bad file", 0, &[]),
    figure("drain", "drain", 0, &[("left", 100)]),
    figure("undrain", "undrain", 0, &[("left", 100)]),
    figure("certificate", "certificate rotation", 0, &[("shown", 100)]),
    figure("upgrade", "upgrade", 0, &[]),
    figure("sigterm", "SIGTERM, ten streams, three WebSockets", 0, &[("exit", 500)]),
    figure("descriptors", "descriptor limit 256", 0, &[("back", 200)]),
    figure("idle", "5,000 idle connections", 0, &[]),
    figure("name-server", "name server gone", 0, &[]),
];

impl Figure {
    /// The figure of this fault.
    pub(super) fn of(fault: &str) -> Option<&'static Self> {
        FIGURES.iter().find(|figure| figure.fault == fault)
    }

    /// The figure in words, as in the table.
    pub(super) fn told(&self) -> String {
        let mut text = format!("0+{}", self.post);
        for (name, most) in self.times {
            text.push_str(&format!(", {name} {most} ms"));
        }
        text
    }

    /// What an account has more than the figure allows; empty where it is reached.
    pub(super) fn missed(&self, account: &Value) -> Vec<String> {
        let mut missed = Vec::new();
        for (name, most) in [("get_failed", 0), ("post_failed", self.post), ("twice", 0), ("stale", 0)] {
            let is = account.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
            if is > most {
                missed.push(format!("{name} {is} > {most}"));
            }
        }
        for (name, most) in self.times {
            let is = account.get("times_ms").and_then(|times| times.get(name)).and_then(Value::as_f64);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a minute")]
            match is {
                None => missed.push(format!("never {name}")),
                Some(is) if is > *most as f64 => missed.push(format!("{name} {is:.0} ms > {most} ms")),
                Some(_) => {}
            }
        }
        let wrong = account.get("wrong").and_then(Value::as_array).into_iter().flatten();
        missed.extend(wrong.filter_map(Value::as_str).map(str::to_owned));
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_within_the_figure_misses_nothing() {
        let account = json!({
            "get_failed": 0, "post_failed": 8, "twice": 0, "stale": 0, "wrong": [],
            "times_ms": { "left": 1_299.0, "slowest GET": 900.0 },
        });
        assert!(Figure::of("stop-one").unwrap().missed(&account).is_empty());
    }

    #[test]
    fn everything_beyond_the_figure_is_told() {
        let account = json!({
            "get_failed": 1, "post_failed": 9, "twice": 0, "stale": 2, "wrong": ["it ended"],
            "times_ms": { "slowest GET": 1_700.4 },
        });
        assert_eq!(
            Figure::of("stop-one").unwrap().missed(&account),
            [
                "get_failed 1 > 0",
                "post_failed 9 > 8",
                "stale 2 > 0",
                "never left",
                "slowest GET 1700 ms > 1600 ms",
                "it ended"
            ]
        );
    }
}
