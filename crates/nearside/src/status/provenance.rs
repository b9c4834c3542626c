//! Provenance: what share of the requests each region has, and why.

use crate::past::{Flow, History, NOWHERE, Sample};
use crate::share::{self, Examples};
use nearside_core::{PoolId, Reason};
use nearside_proxy::live::Live;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Pools that are asked why they leave a region out.
const POOLS: usize = 100;

/// Why regions have what they have.
pub(super) struct Provenance {
    minute: Sample,
    /// By region: the pools that leave it out, each with why.
    left_out: BTreeMap<String, Vec<Value>>,
}

impl Provenance {
    /// What has been measured in the last minute, and how decisions are made now.
    pub(super) fn of(live: &Live, examples: &Examples, history: &History) -> Self {
        let mut left_out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let (generation, now) = (&live.generation, live.evidence.now());
        for (index, pool) in generation.pools.iter().enumerate().take(POOLS) {
            let Some(example) = examples.get(PoolId::new(index)) else { continue };
            let (dropped, _) = share::trace(generation, example, &*live.evidence, now);
            for region in &generation.regions {
                let ids = dropped.iter().filter(|(id, _)| {
                    let backend =
                        generation.backend(*id).and_then(|backend| generation.region(backend.region));
                    backend.is_some_and(|own| own.name == region.name)
                });
                let reasons: Vec<Reason> = ids.map(|(_, reason)| *reason).collect();
                let own = generation.backends_of(pool).iter();
                let own = own.filter(|backend| generation.region(backend.region) == Some(region)).count();
                // Where chance alone decides, the region is not left out.
                if let Some(reason) = reasons.first().filter(|_| own > 0 && reasons.len() == own)
                    && !reasons.contains(&Reason::LostWeight)
                {
                    let told =
                        json!({ "pool": &*pool.name, "reason": reason.name(), "why": reason.sentence() });
                    left_out.entry(region.name.to_string()).or_default().push(told);
                }
            }
        }
        Self { minute: history.minute(), left_out }
    }

    /// What is to be said of `region`.
    pub(super) fn region(&self, region: &str) -> Value {
        let all: u64 = self
            .minute
            .regions
            .iter()
            .filter(|(name, _)| *name != NOWHERE)
            .map(|(_, flow)| flow.requests)
            .sum();
        let nothing = Flow::default();
        let flow = self.minute.regions.get(region).unwrap_or(&nothing);
        let part = |count: u64, of: u64| (of > 0).then(|| ratio(count, of));
        let reasons: Map<String, Value> =
            flow.reasons.iter().map(|(reason, count)| (reason.clone(), json!(count))).collect();
        json!({
            "window_s": self.minute.window_s,
            "requests": flow.requests,
            "failed": flow.failed,
            "share": part(flow.requests, all),
            "reasons": reasons,
            "left_out": self.left_out.get(region).cloned().unwrap_or_default(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}
