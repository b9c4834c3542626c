//! Decision tables: files of `routes.yaml` with requests, what is known, and what has to be decided and why.
//!
//! A table is data, so that an operator reads it like a story. Every other backend of the pool stands under `because`
//! with its reason; over all tables every step drops someone, and every reason that a decision gives is reached.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use nearside_core::generation::{Backend, Drain, PinnedSessions};
use nearside_core::place::{Continent, Country, Place, Subdivision};
use nearside_core::{
    BackendId, Choice, Evidence, Facts, Failure, FullTrace, Generation, Input, Now, Pin, PoolId, Reason,
    RegionId, RouteId, State, Step, Target, Tried, Verdict, decide,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One file of `tests/decide`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What it shows.
    about: String,
    /// The file that is decided by.
    file: String,
    cases: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case is about.
    #[serde(default)]
    about: String,
    #[serde(default = "host")]
    host: String,
    #[serde(default = "path")]
    path: String,
    #[serde(default = "method")]
    method: String,
    /// Where the client is: `country`, `state`, `continent`.
    #[serde(default)]
    place: BTreeMap<String, String>,
    #[serde(default = "address")]
    address: String,
    home: Option<String>,
    /// Regions, or backends, first and second.
    #[serde(default)]
    pin: Vec<String>,
    #[serde(default)]
    hash: u64,
    /// States of backends, or of all backends of a region, in words.
    #[serde(default)]
    states: BTreeMap<String, String>,
    /// Regions and backends that are marked besides; `name: honour` while their grace runs.
    #[serde(default)]
    drained: BTreeMap<String, String>,
    /// Round trips in milliseconds, of backends or regions.
    #[serde(default)]
    rtt: BTreeMap<String, u32>,
    /// Requests a second for regions.
    #[serde(default)]
    offered: BTreeMap<String, u64>,
    #[serde(default)]
    seed: u64,
    /// The backend and the reason, or the refusal.
    decide: String,
    /// Every other backend of the pool with its reason.
    #[serde(default)]
    because: BTreeMap<String, String>,
}

fn host() -> String {
    "www.example.com".to_owned()
}

fn path() -> String {
    "/".to_owned()
}

fn method() -> String {
    "GET".to_owned()
}

fn address() -> String {
    "192.0.2.1".to_owned()
}

fn tables() -> Vec<(PathBuf, Table)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("decide");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let table = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, table)
    };
    paths.into_iter().map(read).collect()
}

/// What the case says is known.
struct Known {
    states: Vec<State>,
    offered: Vec<u64>,
}

impl Evidence for Known {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        self.states[backend.index()]
    }

    fn turn(&self, _pool: PoolId) -> u64 {
        0
    }

    fn offered(&self, region: RegionId, _now: Now) -> u64 {
        self.offered[region.index()]
    }

    fn route_in_flight(&self, _route: RouteId) -> u32 {
        0
    }
}

fn region(generation: &Generation, name: &str) -> Option<RegionId> {
    generation.regions.iter().position(|region| &*region.name == name).map(RegionId::new)
}

fn means(generation: &Generation, backend: &Backend, name: &str) -> bool {
    &*backend.name == name || region(generation, name) == Some(backend.region)
}

fn place(words: &BTreeMap<String, String>) -> Place {
    let country = words.get("country").map(|code| Place::of(Country::parse(code).unwrap()));
    let state = words.get("state").map(|code| Place::in_state(Subdivision::parse(code).unwrap()));
    let continent = words
        .get("continent")
        .map(|code| Place { continent: Some(Continent::parse(code).unwrap()), ..Place::UNKNOWN });
    state.or(country).or(continent).unwrap_or_default()
}

fn target(generation: &Generation, name: &str) -> Target {
    region(generation, name).map_or_else(
        || {
            let backend = generation.backends.iter().position(|backend| &*backend.name == name);
            Target::Backend(BackendId::new(backend.unwrap_or_else(|| panic!("no {name}"))))
        },
        Target::Region,
    )
}

fn mark(pinned_sessions: PinnedSessions) -> Drain {
    let grace = Duration::from_secs(300);
    Drain { reason: "test".into(), by: None, until: None, grace, pinned_sessions }
}

/// Marks what the case says is marked; whether grace runs for each backend.
fn drain(generation: &mut Generation, case: &Case) -> Vec<bool> {
    let mut in_grace = vec![false; generation.backends.len()];
    for (name, how) in &case.drained {
        let honours = how == "honour";
        let mark = mark(if honours { PinnedSessions::HonourUntilGrace } else { PinnedSessions::Move });
        for (index, backend) in generation.backends.iter().enumerate() {
            in_grace[index] |= means(generation, backend, name) && how != "over";
        }
        match region(generation, name) {
            Some(id) => generation.regions[id.index()].drain = Some(mark),
            None => {
                let mut backends = generation.backends.edit();
                let found = backends.iter_mut().find(|backend| *backend.name == **name);
                found.unwrap_or_else(|| panic!("no {name}")).drain = Some(mark);
            }
        }
    }
    in_grace
}

fn state(words: &str) -> State {
    let mut state = State { verdict: Verdict::Healthy, ..State::default() };
    for word in words.split_whitespace() {
        match word {
            "unhealthy" => state.verdict = Verdict::Unhealthy,
            "unknown" => state.verdict = Verdict::Unknown,
            "ejected" => state.ejected = true,
            "suspected" => state.suspected = true,
            "held" => state.held = true,
            "tried" | "refused" => {}
            busy => state.in_flight = busy.strip_prefix("busy=").expect(busy).parse().unwrap(),
        }
    }
    state
}

fn known(generation: &Generation, case: &Case, in_grace: &[bool]) -> (Known, Tried) {
    let mut tried = Tried::default();
    let states = generation.backends.iter().enumerate().map(|(index, backend)| {
        let words = case.states.iter().filter(|(name, _)| means(generation, backend, name));
        let words: Vec<&str> = words.map(|(_, words)| words.as_str()).collect();
        for word in words.iter().flat_map(|words| words.split_whitespace()) {
            match word {
                "tried" => tried.note(generation, BackendId::new(index), Failure::Sent),
                "refused" => tried.note(generation, BackendId::new(index), Failure::Connect),
                _ => {}
            }
        }
        let rtt = case.rtt.iter().find(|(name, _)| means(generation, backend, name));
        let rtt_micros = rtt.map(|(_, millis)| millis * 1000);
        State { rtt_micros, in_grace: in_grace[index], ..state(&words.join(" ")) }
    });
    let states = states.collect();
    let offered = generation.regions.iter();
    let offered = offered.map(|region| case.offered.get(&*region.name).copied().unwrap_or(0)).collect();
    (Known { states, offered }, tried)
}

/// What is decided, as the tables write it, with the trace.
fn decided(generation: &Generation, case: &Case) -> (String, BTreeMap<String, String>, FullTrace) {
    let mut generation = generation.clone();
    let in_grace = drain(&mut generation, case);
    let (known, tried) = known(&generation, case, &in_grace);
    let client = (case.address.parse::<std::net::IpAddr>().unwrap(), 4000).into();
    let pin = |index: usize| case.pin.get(index).map(|name| target(&generation, name));
    let facts = Facts {
        place: place(&case.place),
        home: case.home.as_deref(),
        pin: (!case.pin.is_empty()).then(|| Pin { first: pin(0), second: pin(1) }),
        hash: case.hash,
        ..Facts::new(&case.host, &case.path, &case.method, client)
    };
    let now = Now::from_millis(1_000_000);
    let input = Input {
        facts: &facts,
        tried: &tried,
        generation: &generation,
        evidence: &known,
        now,
        seed: case.seed,
    };
    let mut trace = FullTrace::default();
    let choice = decide(&input, &mut trace);
    assert_eq!(choice, decide(&input, &mut ()), "traced or not");
    let name = |id: BackendId| generation.backend(id).unwrap().name.to_string();
    let text = match choice {
        Choice::Forward(plan) => format!("{} {}", name(plan.backend), plan.reason),
        Choice::Answer(_) => "answer".to_owned(),
        Choice::Refuse(reason, _) => reason.to_string(),
    };
    let ids = (0..generation.backends.len()).map(BackendId::new);
    let dropped = ids.filter_map(|id| Some((name(id), trace.dropped(id)?.1.to_string()))).collect();
    (text, dropped, trace)
}

#[test]
fn every_table_decides_as_it_says() {
    let mut wrong = Vec::new();
    for (path, table) in tables() {
        let generation = nearside_config::load(&table.file).unwrap_or_else(|report| panic!("{report}")).0;
        for (index, case) in table.cases.iter().enumerate() {
            let (text, dropped, _) = decided(&generation, case);
            if text != case.decide || dropped != case.because {
                let told: Vec<String> =
                    dropped.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
                wrong.push(format!(
                    "{} ({}), case {} ({}):\n    decide: {text}\n    because: {{ {} }}",
                    path.file_name().unwrap().display(),
                    table.about,
                    index + 1,
                    case.about,
                    told.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reasons that no decision gives: what is found before one, or after it.
const ELSEWHERE: &[Reason] = &[
    Reason::RefusedMalformed,
    Reason::RefusedTimeout,
    Reason::RefusedMisdirected,
    Reason::RefusedOverload,
    Reason::RefusedLoop,
    // The tables give no sizes and no counts of a route; `crates/core/tests/decide` does.
    Reason::RefusedTooLarge,
    Reason::RefusedLimit,
    Reason::FailedConnect,
    Reason::FailedReset,
    Reason::FailedTimeout,
    Reason::FailedProtocol,
    Reason::FailedClientGone,
];

#[test]
fn the_tables_reach_every_reason_and_every_step_drops_someone() {
    let (mut reached, mut dropping) = (BTreeSet::new(), BTreeSet::new());
    for (_, table) in tables() {
        let generation = nearside_config::load(&table.file).unwrap_or_else(|report| panic!("{report}")).0;
        for case in &table.cases {
            let (text, dropped, trace) = decided(&generation, case);
            reached.extend(dropped.into_values());
            reached.extend(text.split(' ').next_back().map(str::to_owned));
            let ids = (0..generation.backends.len()).map(BackendId::new);
            dropping.extend(ids.filter_map(|id| Some(trace.dropped(id)?.0)));
        }
    }
    let missing: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| !ELSEWHERE.contains(reason) && !reached.contains(reason.name()))
        .collect();
    assert!(missing.is_empty(), "no table reaches {missing:?}");
    let silent: Vec<_> = Step::ALL
        .iter()
        // These drop no candidate: they find the route, answer or refuse, and the cohort has no key yet.
        .filter(|step| !matches!(step, Step::Route | Step::Access | Step::Canary))
        .filter(|step| !dropping.contains(step))
        .collect();
    assert!(silent.is_empty(), "no table has a drop at {silent:?}");
}
