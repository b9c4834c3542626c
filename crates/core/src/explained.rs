//! A decision in one line, for a header.

use crate::decide::Choice;
use crate::generation::Generation;
use crate::id::BackendId;
use crate::trace::FullTrace;
use std::fmt::Write;

/// What was chosen and why, then every other backend of the pool with the reason why not:
/// `fra-a won.latency, iad-a lost.latency`.
#[must_use]
pub fn line(generation: &Generation, choice: Choice, trace: &FullTrace) -> String {
    let mut line = match choice {
        Choice::Forward(plan) => {
            let name = generation.backend(plan.backend).map_or("?", |backend| &*backend.name);
            format!("{name} {}", plan.reason)
        }
        Choice::Answer(_) => "answer".to_owned(),
        Choice::Refuse(reason, _) => reason.to_string(),
    };
    for (index, backend) in generation.backends.iter().enumerate() {
        if let Some((_, reason)) = trace.dropped(BackendId::new(index)) {
            // Writing to a string cannot fail.
            write!(line, ", {} {reason}", backend.name).unwrap_or_default();
        }
    }
    line
}
