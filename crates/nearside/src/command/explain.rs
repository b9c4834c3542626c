//! `nearside explain`: why would this request go there? The decision's steps with every candidate and its reason.

mod past;

use crate::args::ExplainArgs;
use crate::explanation::draw;
use crate::question::Question;
use crate::{Done, client, file, gates, out, pop, state};
use anyhow::{Context, bail};
use nearside_core::place::Position;
use nearside_core::{
    BackendId, Choice, Evidence, Generation, Now, PoolId, RegionId, RouteId, State, Verdict,
};
use nearside_geo::Tables;
use nearside_health::{Clock as HealthClock, Registry};
use nearside_proxy::claims::{Beliefs, SEAL};
use nearside_proxy::supposed::Reading;
use nearside_tls::{Clock, Homes, Keys, Problem};
use serde_json::Value;
use std::sync::Arc;

/// Explains one request: by the file alone, where every backend is healthy but those named down, and as far as the map
/// says; or as the running PoP sees it now.
pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<Done> {
    if args.live {
        return live(args);
    }
    if let Some(at) = args.at {
        return past::run(args, at);
    }
    let Some(loaded) = file::load_or_tell(&args.file)? else { return Ok(Done::Refused) };
    let tables = gates::open_tables(&loaded.generation)?;
    let beliefs = beliefs(&loaded.generation, args)?;
    let (told, choice) = explain(loaded.generation, (&tables, &beliefs), args)?;
    let refused = matches!(choice, Choice::Refuse(..));
    Ok(print(&told, args.json, refused))
}

fn live(args: &ExplainArgs) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?;
    let Some(told) = client::explain(&folder, &question(args))? else { bail!(client::nobody(&folder)) };
    let asked = told.pointer("/request/pop").and_then(Value::as_str);
    if let (Some(wanted), Some(asked)) = (args.pop.as_deref(), asked)
        && wanted != asked
    {
        bail!("the PoP that runs here is {asked}, not {wanted}; ask on its machine, or without --live");
    }
    let refused = told.pointer("/choice/refuse").is_some();
    Ok(print(&told, args.json, refused))
}

fn print(told: &Value, as_json: bool, refused: bool) -> Done {
    if as_json {
        out::json(told);
    } else {
        out::text(&draw(told));
    }
    if refused { Done::Refused } else { Done::Fine }
}

/// What is believed of the request: of one that says nothing of itself there is nothing to verify, and no key is needed.
fn beliefs(generation: &Generation, args: &ExplainArgs) -> anyhow::Result<Beliefs> {
    let none = tempfile::tempdir().context("cannot make a temporary folder")?;
    if args.cookie.is_empty() && args.header.is_empty() {
        let (keys, _) = Keys::load(None, none.path(), Clock::system()).map_err(told)?;
        return Ok(Beliefs::new(generation, keys.seal(SEAL), Homes::default()));
    }
    // A PoP's own key is used where it is, and none is left behind where there was none.
    let own = state::folder(args.state.state_dir.as_deref()).ok();
    let own = own.filter(|folder| folder.join("fleet.key").is_file());
    gates::beliefs(generation, own.as_deref().unwrap_or_else(|| none.path())).map_err(told)
}

fn told(problems: Vec<Problem>) -> anyhow::Error {
    let each = problems.into_iter().map(|problem| format!("{}; {}", problem.message, problem.hint));
    anyhow::anyhow!(each.collect::<Vec<_>>().join("\n"))
}

fn explain(
    mut generation: Generation,
    (tables, beliefs): (&Tables, &Beliefs),
    args: &ExplainArgs,
) -> anyhow::Result<(Value, Choice)> {
    for name in &args.drain {
        let known = names(&generation);
        if !nearside_whatif::mark(&mut generation, name, "supposed by --drain") {
            bail!("--drain {name}: no region or backend has this name; there are {known}");
        }
    }
    let place = args.place.as_deref().map(pop::parse_place).transpose()?;
    let evidence = Supposed::new(&generation, &args.down, place.and_then(|place| place.position))?;
    let now = HealthClock::start().now();
    let reading = Reading { generation: &generation, beliefs, geo: tables, now };
    question(args).answer(&reading, args.pop.as_deref(), &evidence)
}

fn question(args: &ExplainArgs) -> Question {
    Question {
        host: args.host.clone(),
        path: args.path.clone(),
        method: args.method.clone(),
        client: args.client,
        home: args.home.clone(),
        fields: fields(args),
        seed: args.seed,
    }
}

/// The header lines of the request.
fn fields(args: &ExplainArgs) -> String {
    let cookies = (!args.cookie.is_empty()).then(|| format!("cookie: {}", args.cookie.join("; ")));
    args.header.iter().cloned().chain(cookies).collect::<Vec<_>>().join("\n")
}

/// Evidence as the arguments suppose it.
struct Supposed(Vec<State>);

impl Supposed {
    fn new(generation: &Generation, down: &[String], from: Option<Position>) -> anyhow::Result<Self> {
        for name in down {
            if !generation.backends.iter().any(|backend| named(generation, backend, name)) {
                bail!("--down {name}: no region or backend has this name; there are {}", names(generation));
            }
        }
        // Nothing is measured yet in a fresh registry: its round trips are those by distance.
        let fresh = Registry::new(HealthClock::start()).view(&Arc::new(generation.clone()), from);
        let state = |(index, backend)| {
            let is_down = down.iter().any(|name| named(generation, backend, name));
            let verdict = if is_down { Verdict::Unhealthy } else { Verdict::Healthy };
            State { verdict, ..fresh.state(BackendId::new(index), fresh.now()) }
        };
        Ok(Self(generation.backends.iter().enumerate().map(state).collect()))
    }
}

impl Evidence for Supposed {
    fn state(&self, backend: BackendId, _now: Now) -> State {
        self.0.get(backend.index()).copied().unwrap_or_default()
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

fn named(generation: &Generation, backend: &nearside_core::generation::Backend, name: &str) -> bool {
    let region = generation.region(backend.region);
    &*backend.name == name
        || backend.key.as_str() == name
        || region.is_some_and(|region| &*region.name == name)
}

fn names(generation: &Generation) -> String {
    let regions = generation.regions.iter().map(|region| region.name.to_string());
    regions
        .chain(generation.backends.iter().map(|backend| backend.name.to_string()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::StateArgs;
    use crate::file::Loaded;

    const FILE: &str = "\
version: 1
regions:
  fra: { place: { country: DE, lat: 50.11, lon: 8.68 } }
  dub: { place: { country: IE, lat: 53.35, lon: -6.26 } }
  iad: { drain: \"old hall\" }
pools:
  web:
    select: { latency_tolerance: 5ms }
    backends:
      - { id: f, url: \"http://127.0.0.1:1\", region: fra }
      - { id: d, url: \"http://127.0.0.1:2\", region: dub }
      - { id: i, url: \"http://127.0.0.1:3\", region: iad }
routes:
  - { host: www.example.com, path: /shop/*, methods: [GET], pool: web }
listeners:
  - { bind: \"127.0.0.1:8443\" }
";

    /// The answer's table without the steps that pass all on, its blanks folded.
    fn told(changes: impl FnOnce(&mut ExplainArgs)) -> String {
        let mut args = ExplainArgs {
            host: "www.example.com".to_owned(),
            path: "/shop/a?b=c".to_owned(),
            method: "GET".to_owned(),
            client: [192, 0, 2, 1].into(),
            cookie: Vec::new(),
            header: Vec::new(),
            pop: None,
            down: Vec::new(),
            drain: Vec::new(),
            place: Some("DE,50.11,8.68".to_owned()),
            home: None,
            seed: 1,
            live: false,
            at: None,
            state: StateArgs { state_dir: None },
            json: false,
            file: "routes.yaml".into(),
        };
        changes(&mut args);
        let (generation, source, warnings) = nearside_config::load(FILE).unwrap();
        let loaded = Loaded { generation, source, warnings };
        let beliefs = beliefs(&loaded.generation, &args).unwrap();
        let text = match explain(loaded.generation, (&Tables::none(), &beliefs), &args) {
            Ok((told, _)) => draw(&told),
            Err(error) => error.to_string(),
        };
        let kept = text.lines().filter(|line| !line.ends_with("passes all on") && !line.starts_with("STEP"));
        kept.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
    }

    #[test]
    fn every_backend_that_lost_has_its_reason() {
        assert_eq!(
            told(|_| {}),
            "GET www.example.com/shop/a from 192.0.2.1 (an unknown place)\n\
             4 drain i excluded.drained it or its region is marked drained: \"old hall\"\n\
             13 latency d lost.latency another is nearer by more than the tolerance\n\
             => f in fra: won.latency (it is the nearest)\n"
        );
    }

    #[test]
    fn suppositions_are_taken_by_region_backend_and_key() {
        for down in ["fra", "f", "web/f"] {
            let text = told(|args| args.down.push(down.to_owned()));
            assert!(text.contains("5 health f excluded.unhealthy") && text.contains("=> d in dub"), "{text}");
            let text = told(|args| args.drain.push(down.to_owned()));
            assert!(
                text.contains("4 drain f excluded.drained") && text.contains("supposed by --drain"),
                "{text}"
            );
        }
        let unknown = told(|args| args.down.push("lis".to_owned()));
        assert_eq!(
            unknown,
            "--down lis: no region or backend has this name; there are fra, dub, iad, f, d, i\n"
        );
    }

    #[test]
    fn a_refusal_says_at_which_step_and_why() {
        type Change = fn(&mut ExplainArgs);
        let cases: [(Change, &str); 3] = [
            (
                |args| args.host = "other.example.com".to_owned(),
                "1 route no_route.host no route names this host\n=> refused with 404",
            ),
            (
                |args| args.path = "/".to_owned(),
                "1 route no_route.path the host has no route for this path\n=> refused with 404",
            ),
            (
                |args| args.method = "POST".to_owned(),
                "1 route no_route.method the path has no route for this method\n=> refused with 405",
            ),
        ];
        for (change, expected) in cases {
            let text = told(change);
            assert!(text.contains(expected), "{text}");
        }
        let text = told(|args| args.drain = vec!["fra".to_owned(), "dub".to_owned()]);
        assert!(text.contains("=> refused with 503: refused.drained"), "{text}");
    }
}
