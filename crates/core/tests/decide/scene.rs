//! A scene: backends in regions with their states, written as text.
//!
//! `a@fra p1 w50 healthy rtt=10; b@iad p2 drained | all_down=refuse seed=7` is two backends, then options.

use nearside_core::candidates::MAX_BACKENDS;
use nearside_core::generation::{
    Backend, Backends, Drain, Endpoint, Fleet, Generation, PinnedSessions, Pool, Region, Stamp,
};
use nearside_core::host::Pattern;
use nearside_core::method::Methods;
use nearside_core::policy::{AllDown, Balance, Share};
use nearside_core::route::{Limits, PathPattern, Route};
use nearside_core::table::Table;
use nearside_core::{
    BackendId, Choice, Evidence, Facts, Failure, FullTrace, Input, Now, Pin, Place, PoolId, RegionId,
    RouteId, State, Tried, Verdict, decide,
};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) generation: Generation,
    pub(crate) evidence: Fixed,
    pub(crate) tried: Tried,
    pub(crate) seed: u64,
    pub(crate) client: Client,
}

/// What a request says of its client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Client {
    pub(crate) place: Place,
    pub(crate) home: Option<&'static str>,
    pub(crate) pin: Option<Pin>,
    pub(crate) hash: u64,
}

/// Evidence that stands still.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) states: Vec<State>,
    pub(crate) turn: u64,
    pub(crate) route_in_flight: u32,
    /// By region.
    pub(crate) offered: Vec<u64>,
}

impl Evidence for Fixed {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        self.states[backend.index()]
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        self.turn
    }

    fn offered(&self, region: RegionId, _now: Now) -> u64 {
        self.offered.get(region.index()).copied().unwrap_or(0)
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        self.route_in_flight
    }
}

pub(crate) fn facts() -> Facts<'static> {
    Facts {
        header_bytes: 40,
        body_bytes: Some(0),
        ..Facts::new("www.example.com", "/", "GET", "192.0.2.1:4000".parse().unwrap())
    }
}

impl Scene {
    pub(crate) fn parse(text: &str) -> Self {
        let (backends, options) = text.split_once('|').unwrap_or((text, ""));
        let mut scene = Self {
            generation: generation(),
            evidence: Fixed::default(),
            tried: Tried::default(),
            seed: 1,
            client: Client::default(),
        };
        let mut failures = Vec::new();
        let mut list = Vec::new();
        let mut regions: Vec<Region> = Vec::new();
        for (index, line) in backends.split(';').enumerate() {
            let mut words = line.split_whitespace();
            let (name, region) = words.next().unwrap().split_once('@').unwrap();
            let region_index = regions.iter().position(|known| &*known.name == region).unwrap_or_else(|| {
                regions.push(Region::new(region));
                regions.len() - 1
            });
            let mut backend = backend(name, region_index);
            let mut state = State { verdict: Verdict::Healthy, ..State::default() };
            for word in words {
                match word {
                    "region-drained" => regions[region_index].drain = Some(mark()),
                    "drained" => backend.drain = Some(mark()),
                    "tried" => failures.push((BackendId::new(index), Failure::Sent)),
                    "refused" => failures.push((BackendId::new(index), Failure::Connect)),
                    _ => describe(word, &mut backend, &mut state),
                }
            }
            list.push(backend);
            scene.evidence.states.push(state);
        }
        scene.generation.pools[0].len = list.len();
        scene.generation.backends = list.into();
        scene.generation.regions = regions.into();
        for (id, failure) in failures {
            scene.tried.note(&scene.generation, id, failure);
        }
        for option in options.split_whitespace() {
            scene.option(option);
        }
        scene
    }

    fn option(&mut self, option: &str) {
        let (key, value) = option.split_once('=').unwrap();
        let select = &mut self.generation.pools[0].select;
        match key {
            "all_down" => select.all_down = if value == "refuse" { AllDown::Refuse } else { AllDown::TryAll },
            "failover_below" => {
                select.failover_below = Share::from_points(value.parse::<u16>().unwrap() * 100);
            }
            "tolerance" => select.latency_tolerance = Duration::from_millis(value.parse().unwrap()),
            "balance" => select.balance = Balance::RoundRobin,
            "kept_to" => {
                let index = self.generation.regions.iter().position(|region| &*region.name == value);
                self.tried.keep_to(RegionId::new(index.unwrap()));
            }
            "turn" => self.evidence.turn = value.parse().unwrap(),
            "seed" => self.seed = value.parse().unwrap(),
            "route_in_flight" => self.evidence.route_in_flight = value.parse().unwrap(),
            "concurrency" => {
                let mut routes = self.generation.routes.routes().to_vec();
                routes[0].limits.concurrency = Some(value.parse().unwrap());
                self.generation.routes = Table::new(routes);
            }
            other => panic!("no such option: {other}"),
        }
    }

    /// The request of the scene's client.
    pub(crate) fn facts(&self) -> Facts<'static> {
        let Client { place, home, pin, hash } = self.client;
        Facts { place, home, pin, hash, ..facts() }
    }

    pub(crate) fn input<'a>(&'a self, facts: &'a Facts<'a>) -> Input<'a, Fixed> {
        Input {
            facts,
            tried: &self.tried,
            generation: &self.generation,
            evidence: &self.evidence,
            now: Now::from_millis(1_000_000),
            seed: self.seed,
        }
    }

    /// The decision as text: `a won.priority`, or `refused.drained`; then each drop as `b excluded.drained`.
    pub(crate) fn decide(&self, facts: &Facts<'_>) -> (String, FullTrace) {
        let mut trace = FullTrace::default();
        let text = match decide(&self.input(facts), &mut trace) {
            Choice::Forward(plan) => format!("{} {}", self.name(plan.backend), plan.reason),
            Choice::Answer(_) => "answer".to_owned(),
            Choice::Refuse(reason, _) => reason.to_string(),
        };
        (text, trace)
    }

    pub(crate) fn name(&self, id: BackendId) -> &str {
        &self.generation.backend(id).unwrap().name
    }
}

fn describe(word: &str, backend: &mut Backend, state: &mut State) {
    match word {
        "healthy" => state.verdict = Verdict::Healthy,
        "unhealthy" => state.verdict = Verdict::Unhealthy,
        "unknown" => state.verdict = Verdict::Unknown,
        "ejected" => state.ejected = true,
        "suspected" => state.suspected = true,
        "held" => state.held = true,
        _ => {
            if let Some((key, value)) = word.split_once('=') {
                let number: u32 = value.parse().unwrap();
                match key {
                    "rtt" => state.rtt_micros = Some(number * 1000),
                    "busy" => state.in_flight = number,
                    "max" => backend.max_in_flight = Some(number),
                    "ramp" => state.ramp = Some(u16::try_from(number).unwrap()),
                    other => panic!("no such key: {other}"),
                }
            } else if let Some(priority) = word.strip_prefix('p') {
                backend.priority = priority.parse().unwrap();
            } else {
                backend.weight = word.strip_prefix('w').unwrap().parse().unwrap();
            }
        }
    }
}

pub(crate) fn mark() -> Drain {
    Drain {
        reason: "rollout".into(),
        by: None,
        until: None,
        grace: Duration::from_secs(300),
        pinned_sessions: PinnedSessions::Move,
    }
}

pub(crate) fn backend(name: &str, region: usize) -> Backend {
    let endpoint = Endpoint { tls: false, host: "127.0.0.1".into(), port: 80 };
    Backend::new((PoolId::new(0), "web"), name, endpoint, RegionId::new(region))
}

pub(crate) fn route(hosts: &str, path: &str, methods: &[&str]) -> Route {
    let patterns = hosts.split(',').map(|host| Pattern::parse(host).unwrap());
    Route {
        hosts: patterns.collect(),
        path: PathPattern::parse(path).unwrap(),
        methods: match methods {
            [] => Methods::Any,
            list => Methods::Only(list.iter().map(|name| (*name).into()).collect()),
        },
        limits: Limits { body: Some(1000), headers: 64 << 10, url: 8 << 10, concurrency: None },
        ..Route::new(&format!("{hosts}{path}"), Pattern::Any, PoolId::new(0))
    }
}

fn generation() -> Generation {
    Generation {
        stamp: Stamp::default(),
        fleet: Fleet::new("test"),
        regions: Box::default(),
        pools: Box::new([Pool::new("web", BackendId::new(0), MAX_BACKENDS)]),
        backends: Backends::default(),
        routes: Table::new(vec![route("www.example.com", "/*", &[])]),
        ..Generation::default()
    }
}
