//! The gates of `checks`: what a file comes to when something fails.

use super::{path_of, seconds};
use crate::forecast;
use nearside_config::{Finding, Report, Rule, Severity, Source};
use nearside_core::Generation;
use nearside_core::generation::Gate;
use nearside_whatif::overloads;

const FAILOVER_BOUND: &Rule = &Rule {
    id: "gate.failover_bound",
    severity: Severity::Warning,
    about: "The worst-case failover time is at most `checks.failover_bound.above`.",
};
const REGION_LOSS: &Rule = &Rule {
    id: "gate.region_loss_overload",
    severity: Severity::Warning,
    about: "The loss of a region gives no other one more than its `capacity`, while every region that serves carries its own.",
};

/// How long the failover of each pool may take.
pub(super) fn failover(generation: &Generation, source: &Source, report: &mut Report) {
    let checks = &generation.checks;
    let Some(severity) = severity(checks.failover_bound) else { return };
    for pool in &generation.pools {
        let bound = nearside_whatif::failover_bound(pool).silent;
        if bound <= checks.failover_bound_above {
            continue;
        }
        let own = format!("{}.probe", path_of(pool, generation, source));
        let path = if source.has(&own) { own } else { "defaults.probe".to_owned() };
        let (found, most) = (seconds(bound), seconds(checks.failover_bound_above));
        let message = format!(
            "a silent backend of {} is found out after up to {found}, and {most} is the most",
            pool.name
        );
        let hint =
            "lower `interval`, `timeout` or `fall` of the probe, or raise `checks.failover_bound.above`";
        report.push(&path, Finding::new(FAILOVER_BOUND, message).hint(hint).severity(severity));
    }
}

/// What the loss of each region would bring to the others.
pub(super) fn region_loss(generation: &Generation, report: &mut Report) {
    let Some(severity) = severity(generation.checks.region_loss_overload) else { return };
    for overload in overloads(generation) {
        let too_much = forecast::overloaded(generation, &overload.shift);
        let Some(region) = generation.region(overload.lost).filter(|_| !too_much.is_empty()) else {
            continue;
        };
        let message = format!(
            "losing {} overloads others while every region carries its capacity: {}",
            region.name,
            too_much.join("; ")
        );
        let hint = "add capacity, keep the load lower than declared, or set `checks.region_loss_overload: off`; \
                    `nearside simulate --lose REGION --rps N` tells for a given load";
        let finding = Finding::new(REGION_LOSS, message).hint(hint).severity(severity);
        report.push(&format!("regions.{}", region.name), finding);
    }
}

fn severity(gate: Gate) -> Option<Severity> {
    match gate {
        Gate::Error => Some(Severity::Error),
        Gate::Warn => Some(Severity::Warning),
        Gate::Off => None,
    }
}
