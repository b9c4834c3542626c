//! The share of each backend: where the next requests of its pool would go, asked of the decision itself.

use nearside_core::host::Pattern;
use nearside_core::method::Methods;
use nearside_core::random::Random;
use nearside_core::route::{Action, PathPattern, Route};
use nearside_core::trace::Event;
use nearside_core::{
    BackendId, Choice, Evidence, Facts, FullTrace, Generation, Input, Now, PoolId, Reason, RegionId, RouteId,
    State, Trace, Tried, decide,
};
use std::net::{Ipv4Addr, SocketAddr};

/// How many decisions are asked for at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// For all pools together, so that the status of a large file comes at once too.
    pub(crate) all: usize,
    /// For each.
    pub(crate) each: usize,
    /// For so many pools, from the first on.
    pub(crate) pools: usize,
}

/// What the status asks for.
pub(crate) const USUAL: Budget = Budget { all: 20_000, each: 400, pools: usize::MAX };

/// A request for each pool, as far as one can be made.
#[derive(Debug, Default)]
pub(crate) struct Examples(Vec<Option<Example>>);

impl Examples {
    /// Finds them in one walk over the routes: of each pool's the first that does not hide behind another.
    pub(crate) fn of(generation: &Generation) -> Self {
        let mut examples: Vec<Option<Example>> = generation.pools.iter().map(|_| None).collect();
        for (index, route) in generation.routes.routes().iter().enumerate() {
            let Action::Forward(pool) = &route.action else { continue };
            let Some(slot) = examples.get_mut(pool.index()).filter(|slot| slot.is_none()) else { continue };
            let example = example_of(route);
            *slot = example.filter(|it| {
                generation.routes.find(&it.host, &it.path, &it.method) == Ok(RouteId::new(index))
            });
        }
        Self(examples)
    }

    /// The one for `pool`, to keep.
    pub(crate) fn take(mut self, pool: PoolId) -> Option<Example> {
        self.0.get_mut(pool.index())?.take()
    }

    /// The one for `pool`.
    pub(crate) fn get(&self, pool: PoolId) -> Option<&Example> {
        self.0.get(pool.index())?.as_ref()
    }
}

/// By [`BackendId`]: which part of its pool's next requests a backend would get; `None` where no route leads to
/// its pool, none can be asked about, or the budget does not reach it.
pub(crate) fn of(
    (generation, examples): (&Generation, &Examples),
    evidence: &impl Evidence,
    now: Now,
    budget: Budget,
) -> Vec<Option<f64>> {
    let mut shares = vec![None; generation.backends.len()];
    let pools = generation.pools.len().min(budget.pools);
    let per_pool = (budget.all / pools.max(1)).clamp(1, budget.each);
    for (index, pool) in generation.pools.iter().enumerate().take(pools) {
        let Some(example) = examples.get(PoolId::new(index)) else { continue };
        let first = pool.first.index();
        let mut counts = vec![0_u32; pool.len];
        for turn in 0..per_pool {
            let backend = example.decide(generation, evidence, now, turn);
            let own = backend.and_then(|backend| counts.get_mut(backend.index().checked_sub(first)?));
            own.into_iter().for_each(|count| *count += 1);
        }
        for (share, count) in shares.iter_mut().skip(first).zip(counts) {
            *share = Some(f64::from(count) / f64::from(u32::try_from(per_pool).unwrap_or(u32::MAX)));
        }
    }
    shares
}

/// The backends that such a request does not get, each with why, and why the one that it gets won, or why none.
pub(crate) fn trace(
    generation: &Generation,
    example: &Example,
    evidence: &impl Evidence,
    now: Now,
) -> (Vec<(BackendId, Reason)>, Option<Reason>) {
    let mut trace = FullTrace::default();
    let choice = example.ask(generation, evidence, (now, 0), &mut trace);
    let dropped = trace.events().iter().filter_map(|event| match *event {
        Event::Dropped(backend, reason) => Some((backend, reason)),
        Event::Step(_) | Event::Readmitted(_) | Event::Chosen(..) | Event::Refused(_) => None,
    });
    let reason = match choice {
        Choice::Forward(plan) => Some(plan.reason),
        Choice::Refuse(reason, _) => Some(reason),
        Choice::Answer(_) => None,
    };
    (dropped.collect(), reason)
}

/// A request that a route of a pool would get.
#[derive(Debug)]
pub(crate) struct Example {
    /// Its host.
    pub(crate) host: String,
    /// Its path.
    pub(crate) path: String,
    method: String,
}

impl Example {
    /// Where it would go at its `turn`.
    pub(crate) fn decide(
        &self,
        generation: &Generation,
        evidence: &impl Evidence,
        now: Now,
        turn: usize,
    ) -> Option<BackendId> {
        match self.ask(generation, evidence, (now, turn), &mut ()) {
            Choice::Forward(plan) => Some(plan.backend),
            Choice::Answer(_) | Choice::Refuse(..) => None,
        }
    }

    /// The same, with what is said on the way.
    pub(crate) fn ask<T: Trace>(
        &self,
        generation: &Generation,
        evidence: &impl Evidence,
        (now, turn): (Now, usize),
        trace: &mut T,
    ) -> Choice {
        let evidence = &Turned { evidence, turn };
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (tried, seed) = (Tried::default(), Random::new(turn as u64).draw());
        // Requests differ in what they are hashed by, as those do that have nothing to be hashed by.
        let facts = Facts {
            hash: seed,
            body_bytes: Some(0),
            ..Facts::new(&self.host, &self.path, &self.method, client)
        };
        let input = Input { facts: &facts, tried: &tried, generation, evidence, now, seed };
        decide(&input, trace)
    }
}

fn example_of(route: &Route) -> Option<Example> {
    let host = match route.hosts.first()? {
        Pattern::Exact(host) => host.to_string(),
        // The name that the wildcard hangs on is not below itself.
        Pattern::Below(host) => format!("host.{host}"),
        Pattern::Any => "host.invalid".to_owned(),
    };
    let path = match &route.path {
        PathPattern::Exact(path) => path.to_string(),
        PathPattern::Prefix(prefix) => format!("{prefix}/"),
    };
    let method = match &route.methods {
        Methods::Any => "GET",
        Methods::Only(methods) => methods.first()?,
    };
    Some(Example { host, path, method: method.to_owned() })
}

/// The evidence as it is, but for whose turn it is.
struct Turned<'a, E> {
    evidence: &'a E,
    turn: usize,
}

impl<E: Evidence> Evidence for Turned<'_, E> {
    fn state(&self, backend: BackendId, now: Now) -> State {
        self.evidence.state(backend, now)
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        self.turn as u64
    }

    fn offered(&self, region: RegionId, now: Now) -> u64 {
        self.evidence.offered(region, now)
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::Verdict;

    /// All is well and equally near.
    struct Well;

    impl Evidence for Well {
        fn state(&self, _backend: BackendId, _now: Now) -> State {
            State { verdict: Verdict::Healthy, rtt_micros: Some(1), ..State::default() }
        }

        fn turn(&self, _pool: PoolId) -> u64 {
            0
        }

        fn offered(&self, _region: RegionId, _now: Now) -> u64 {
            0
        }

        fn route_in_flight(&self, _route: RouteId) -> u32 {
            0
        }
    }

    #[test]
    fn shares_follow_the_weights_however_they_are_balanced() {
        for balance in ["p2c", "round_robin", "hash(client)", "hash(cookie:user)"] {
            let text = format!(
                "version: 1\nregions: {{ a: {{}} }}\npools:\n  web:\n    select: {{ balance: {balance} }}\n    backends:\n      \
                 - {{ id: one, url: \"http://127.0.0.1:1\", region: a, weight: 75 }}\n      \
                 - {{ id: two, url: \"http://127.0.0.1:2\", region: a, weight: 25 }}\n\
                 routes: [{{ host: h.example, pool: web }}]\nlisteners: [{{ bind: \"127.0.0.1:8443\" }}]\n"
            );
            let (generation, ..) = nearside_config::load(&text).unwrap();
            let shares = of((&generation, &Examples::of(&generation)), &Well, Now::default(), USUAL);
            let first = shares[0].unwrap();
            assert!((first - 0.75).abs() < 0.08, "{balance}: {shares:?}");
            assert!((first + shares[1].unwrap() - 1.0).abs() < 1e-9, "{balance}: {shares:?}");
        }
    }

    #[test]
    fn each_kind_of_host_and_path_has_an_example() {
        let check = |host: &str, path: &str, expected: Option<&str>| {
            let text = format!(
                "version: 1\nregions: {{ a: {{}} }}\npools: {{ web: {{ backends: [{{ url: \"http://127.0.0.1:1\", region: a }}] }} }}\n\
                 routes:\n  - {{ host: \"{host}\", path: \"{path}\", pool: web }}\n  \
                 - {{ host: taken.example, path: /fixed, answer: {{ status: 200, body: x }} }}\n\
                 listeners: [{{ bind: \"127.0.0.1:2\" }}]\n"
            );
            let (generation, ..) = nearside_config::load(&text).unwrap();
            let examples = Examples::of(&generation);
            let found = examples.get(PoolId::new(0));
            assert_eq!(
                found.map(|it| format!("{}{}", it.host, it.path)).as_deref(),
                expected,
                "{host}{path}"
            );
        };
        check("www.example", "/*", Some("www.example/"));
        check("www.example", "/a", Some("www.example/a"));
        check("*.shop.example", "/a/*", Some("host.shop.example/a/"));
        check("*", "/*", Some("host.invalid/"));
    }
}
