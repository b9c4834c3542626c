//! What the parts of a pool's policy ask of each other.

use super::Found;
use crate::document::{Document, Probe};
use crate::report::Finding;
use crate::rule;
use crate::scalar::quantity::duration;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let defaults = &document.defaults.0;
    check_probe("defaults.probe", &defaults.probe, found);
    for (name, pool) in &document.pools.0.0 {
        // What a pool inherits is reported once, where it stands.
        if pool.probe != defaults.probe {
            check_probe(&format!("pools.{}.probe", name.0), &pool.probe, found);
        }
    }
}

fn check_probe(path: &str, probe: &Probe, found: &mut Found<'_>) {
    let [interval, fast, timeout] =
        [probe.interval, probe.fast_interval, probe.timeout].map(|time| duration(time.0));
    if !found.read(path) || !found.read("defaults.probe") {
        return;
    }
    if probe.timeout.0 >= probe.interval.0 {
        let message = format!("the timeout {timeout} is not shorter than the interval {interval}");
        let finding = Finding::new(rule::PROBE_TIMEOUT, message);
        found.at(format!("{path}.timeout"), finding.hint("lower the timeout, or probe less often"));
    }
    if probe.fast_interval.0 > probe.interval.0 {
        let message = format!("the fast interval {fast} is longer than the interval {interval}");
        let finding = Finding::new(rule::FAST_INTERVAL, message);
        found.at(format!("{path}.fast_interval"), finding.hint("after a surprise probes would slow down"));
    }
    if probe.expect_body.is_some() && &*probe.method.0 == "HEAD" {
        let finding = Finding::new(rule::PROBE_BODY, "an answer to HEAD has no body to expect a text in");
        found.at(format!("{path}.expect_body"), finding.hint("add `method: GET`"));
    }
}
