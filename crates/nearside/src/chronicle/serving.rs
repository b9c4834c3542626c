//! Who serves each pool: its tier and its regions, as the decision has it; failover and failback are its changes.

use crate::share::{self, Example, Examples};
use nearside_core::{BackendId, Evidence, Generation, Now, PoolId, Reason, RegionId, RouteId, State};
use nearside_proxy::live::Live;
use nearside_telemetry::journal::{Entry, Kind, stamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Decisions that are asked for at one look. Each pool has the same number of them at any time, so that two looks can be
/// compared; in a file with more pools the others are not followed.
const DECISIONS: share::Budget = share::Budget { all: 50 * POOLS, each: 50, pools: POOLS };
const POOLS: usize = 200;
/// Looks after which everything is looked at again, though no backend has changed: distances drift, ramps rise.
const LOOKS: u32 = 40;

/// Who serves, as of the last look.
#[derive(Default)]
pub(super) struct Serving {
    seats: BTreeMap<String, Seat>,
    /// How the backends were.
    states: Vec<Short>,
    generation: Option<u64>,
    examples: Examples,
    looks: u32,
}

/// Who serves a pool.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seat {
    tier: Option<u8>,
    /// The share of each region that serves.
    regions: BTreeMap<String, f64>,
}

/// What of a backend's state decides who may serve.
type Short = (nearside_core::Verdict, [bool; 4]);

impl Serving {
    /// Who serves instead of whom. Until the PoP is ready verdicts are only just coming, and nothing is said.
    pub(super) fn look(&mut self, live: &Live, is_ready: bool) -> Vec<Entry> {
        let now = live.evidence.now();
        let ids = (0..live.generation.backends.len()).map(BackendId::new);
        let states: Vec<Short> = ids.map(|id| short(&live.evidence.state(id, now))).collect();
        let generation = Some(live.generation.stamp.number);
        self.looks += 1;
        if self.states == states && self.generation == generation && self.looks < LOOKS {
            return Vec::new();
        }
        if self.generation != generation {
            self.examples = Examples::of(&live.generation);
        }
        (self.states, self.generation, self.looks) = (states, generation, 0);
        let seats = seats(live, &self.examples, now);
        let before = std::mem::replace(&mut self.seats, seats);
        if !is_ready {
            return Vec::new();
        }
        let pools = live.generation.pools.iter().enumerate().take(POOLS);
        let changed = pools.filter_map(|(index, pool)| {
            let (was, is) = (before.get(&*pool.name)?, self.seats.get(&*pool.name)?);
            let same = was.tier == is.tier && was.regions.keys().eq(is.regions.keys());
            let example = self.examples.get(PoolId::new(index)).filter(|_| !same)?;
            Some(told((live, example), &pool.name, (was, is), now))
        });
        changed.collect()
    }
}

fn short(state: &State) -> Short {
    (state.verdict, [state.ejected, state.suspected, state.held, state.in_grace])
}

fn seats(live: &Live, examples: &Examples, now: Now) -> BTreeMap<String, Seat> {
    let shares = share::of((&live.generation, examples), &Calm(&*live.evidence), now, DECISIONS);
    let pools = live.generation.pools.iter().take(POOLS);
    let seat = |pool: &nearside_core::generation::Pool| {
        let first = pool.first.index();
        let own = live.generation.backends_of(pool).iter().zip(shares.get(first..first + pool.len)?);
        let mut seat = Seat::default();
        let mut is_known = false;
        for (backend, share) in own {
            is_known |= share.is_some();
            let Some(share) = share.filter(|share| *share > 0.0) else { continue };
            seat.tier = Some(seat.tier.map_or(backend.priority, |tier| tier.min(backend.priority)));
            let region = live.generation.region(backend.region)?;
            *seat.regions.entry(region.name.to_string()).or_default() += share;
        }
        is_known.then(|| (pool.name.to_string(), seat))
    };
    pools.filter_map(seat).collect()
}

/// What has happened to the pool's seat.
fn told((live, example): (&Live, &Example), name: &str, (was, is): (&Seat, &Seat), now: Now) -> Entry {
    let generation = &live.generation;
    let (dropped, reason) = share::trace(generation, example, &Calm(&*live.evidence), now);
    let left: BTreeSet<&String> =
        was.regions.keys().filter(|region| !is.regions.contains_key(*region)).collect();
    // A region that is farther by now has lost the requests, and is well.
    let is_out = |region: &str| {
        let own = dropped.iter().filter(|(backend, _)| region_of(generation, *backend) == Some(region));
        own.clone().count() > 0 && own.into_iter().all(|(_, reason)| reason.name().starts_with("excluded."))
    };
    let event = match (was.tier, is.tier) {
        (Some(_), None) => "dark",
        (None, Some(_)) => "lit",
        (Some(before), Some(after)) if after > before => "failover",
        (Some(before), Some(after)) if after < before => "failback",
        _ if left.iter().any(|region| is_out(region)) => "failover",
        _ if left.is_empty() => "failback",
        _ => "moved",
    };
    let mut entry = Entry::now(Kind::Failover, event, name);
    let mut regions = is.regions.keys();
    entry.region = regions.next().cloned().filter(|_| regions.next().is_none());
    (entry.from, entry.to) = (Some(was.words()), Some(is.words()));
    entry.by = Some("decision".to_owned());
    let whys = left.iter().filter_map(|region| {
        let (_, reason) =
            dropped.iter().find(|(backend, _)| region_of(generation, *backend) == Some(region))?;
        Some(format!("{region}: {} ({})", reason.name(), reason.sentence()))
    });
    let whys: Vec<String> = whys.collect();
    let joined: Vec<&str> =
        is.regions.keys().filter(|region| !was.regions.contains_key(*region)).map(String::as_str).collect();
    entry.reason = match (whys.is_empty(), event) {
        (false, _) => whys.join("; "),
        (true, "dark") => reason.map_or("no backend is left", |reason| reason.sentence()).to_owned(),
        (true, _) if !joined.is_empty() => format!("{} serves again or as well", joined.join(", ")),
        (true, _) => reason.map(|reason| reason.sentence().to_owned()).unwrap_or_default(),
    };
    let shares: Map<String, Value> =
        is.regions.iter().map(|(name, share)| (name.clone(), json!(share))).collect();
    entry.figure("shares", shares);
    entry.figure("reason", reason.map(Reason::name));
    entry.figure("dropped", causes(live, &dropped));
    entry
}

/// Why each is excluded, who says so, since when and on which evidence.
fn causes(live: &Live, dropped: &[(BackendId, Reason)]) -> Vec<Value> {
    let known = live.evidence.snapshot();
    let each = dropped.iter().filter_map(|(id, reason)| {
        let backend = known.get(id.index())?;
        Some(json!({
            "backend": backend.key,
            "region": backend.region,
            "reason": reason.name(),
            "by": backend.by.name(),
            "since": stamp(super::wall(Now::from_millis(backend.since), live.evidence.now())),
            "evidence": backend.evidence,
        }))
    });
    each.collect()
}

fn region_of(generation: &Generation, id: BackendId) -> Option<&str> {
    generation.region(generation.backend(id)?.region).map(|region| &*region.name)
}

impl Seat {
    fn words(&self) -> String {
        match self.tier {
            None => "nobody".to_owned(),
            Some(tier) => {
                let names: Vec<&str> = self.regions.keys().map(String::as_str).collect();
                format!("tier {tier}: {}", names.join(", "))
            }
        }
    }
}

/// The evidence without the load of this moment: what spills over is no failover.
struct Calm<'a, E>(&'a E);

impl<E: Evidence> Evidence for Calm<'_, E> {
    fn state(&self, backend: BackendId, now: Now) -> State {
        State { in_flight: 0, ..self.0.state(backend, now) }
    }

    fn turn(&self, pool: PoolId) -> u64 {
        self.0.turn(pool)
    }

    fn offered(&self, _region: RegionId, _now: Now) -> u64 {
        0
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}
