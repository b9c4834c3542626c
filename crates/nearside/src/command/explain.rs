//! `nearside explain`: why would this request go there? The decision's steps with every candidate and its reason.

use crate::Done;
use crate::args::ExplainArgs;
use crate::file;
use crate::{out, pop};
use anyhow::{Context, bail};
use nearside_core::generation::{Drain, PinnedSessions};
use nearside_core::place::Position;
use nearside_core::trace::Event;
use nearside_core::{
    BackendId, Choice, Evidence, Facts, FullTrace, Generation, Input, Now, PoolId, RouteId, State, Tried,
    Verdict, decide,
};
use nearside_health::{Clock, Registry};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Explains one request by the file alone: every backend is healthy but those named down, and as far as the map says.
pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<Done> {
    let loaded = match file::load(&args.file)? {
        Ok(loaded) => loaded,
        Err(report) => {
            out::error(&report.to_string());
            return Ok(Done::Refused);
        }
    };
    let (told, choice) = explain(loaded.generation, args)?;
    if args.json {
        out::json(&told)
    } else {
        out::text(&draw(&told))
    }
    Ok(if matches!(choice, Choice::Refuse(..)) { Done::Refused } else { Done::Fine })
}

fn explain(mut generation: Generation, args: &ExplainArgs) -> anyhow::Result<(Value, Choice)> {
    for name in &args.drain {
        mark(&mut generation, name)?;
    }
    let place = args.place.as_deref().map(pop::parse_place).transpose()?;
    let evidence = Supposed::new(&generation, &args.down, place.and_then(|place| place.position))?;
    let host =
        nearside_core::Host::parse(&args.host).with_context(|| format!("{:?} is no host name", args.host))?;
    let path = args.path.split('?').next().unwrap_or("/");
    let facts = Facts {
        host: host.as_str(),
        path,
        method: &args.method,
        client: SocketAddr::new(args.client, 0),
        url_bytes: args.path.len(),
        header_bytes: 0,
        body_bytes: Some(0),
    };
    let tried = Tried::default();
    let input = Input {
        facts: &facts,
        tried: &tried,
        generation: &generation,
        evidence: &evidence,
        now: Now::from_millis(0),
        seed: args.seed,
    };
    let mut trace = FullTrace::default();
    let choice = decide(&input, &mut trace);
    Ok((tell(&generation, &facts, choice, &trace), choice))
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
        let fresh = Registry::new(Clock::start()).view(&Arc::new(generation.clone()), from);
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

fn mark(generation: &mut Generation, name: &str) -> anyhow::Result<()> {
    let drain = Drain {
        reason: "supposed by --drain".into(),
        by: None,
        until: None,
        grace: Duration::ZERO,
        pinned_sessions: PinnedSessions::Move,
    };
    let known = names(generation);
    if let Some(region) = generation.regions.iter_mut().find(|region| &*region.name == name) {
        region.drain = Some(drain);
    } else if let Some(backend) =
        generation.backends.iter_mut().find(|backend| &*backend.name == name || backend.key.as_str() == name)
    {
        backend.drain = Some(drain);
    } else {
        bail!("--drain {name}: no region or backend has this name; there are {known}");
    }
    Ok(())
}

/// The decision as data: what `--json` prints and the table is drawn from.
pub(crate) fn tell(generation: &Generation, facts: &Facts<'_>, choice: Choice, trace: &FullTrace) -> Value {
    let name = |id: BackendId| generation.backend(id).map_or("?", |backend| &*backend.name);
    let mut steps: Vec<Value> = Vec::new();
    for event in trace.events() {
        match *event {
            Event::Step(step) => steps.push(json!({ "step": step.name(), "events": [] })),
            Event::Dropped(id, reason) => {
                note(
                    &mut steps,
                    json!({ "backend": name(id), "reason": reason.name(), "why": why(generation, id, reason) }),
                );
            }
            Event::Readmitted(id) => {
                note(
                    &mut steps,
                    json!({ "backend": name(id), "readmitted": true, "why": "all are down, so it is tried anyway" }),
                );
            }
            Event::Refused(reason) => {
                note(&mut steps, json!({ "reason": reason.name(), "why": reason.sentence() }));
            }
            Event::Chosen(..) => {}
        }
    }
    json!({
        "request": { "method": facts.method, "host": facts.host, "path": facts.path, "client": facts.client.ip().to_string() },
        "generation": generation.stamp.to_string(),
        "choice": outcome(generation, choice),
        "steps": steps,
    })
}

fn note(steps: &mut [Value], event: Value) {
    if let Some(events) =
        steps.last_mut().and_then(|step| step.get_mut("events")).and_then(Value::as_array_mut)
    {
        events.push(event);
    }
}

fn why(generation: &Generation, id: BackendId, reason: nearside_core::Reason) -> String {
    let mark = generation.backend(id).and_then(|backend| generation.drain_of(backend));
    match mark {
        Some(drain) if reason == nearside_core::Reason::ExcludedDrained => {
            format!("{}: {:?}", reason.sentence(), drain.reason)
        }
        _ => reason.sentence().to_owned(),
    }
}

fn outcome(generation: &Generation, choice: Choice) -> Value {
    let route = |id: RouteId| generation.routes.route(id).map(|route| route.id.to_string());
    match choice {
        Choice::Forward(plan) => {
            let backend = generation.backend(plan.backend);
            json!({
                "forward": backend.map(|backend| backend.name.to_string()),
                "url": backend.map(|backend| backend.endpoint.to_string()),
                "region": generation.region(plan.region).map(|region| region.name.to_string()),
                "pool": generation.pool(plan.pool).map(|pool| pool.name.to_string()),
                "route": route(plan.route),
                "reason": plan.reason.name(),
                "why": plan.reason.sentence(),
            })
        }
        Choice::Answer(id) => json!({ "answer": route(id) }),
        Choice::Refuse(reason, id) => json!({
            "refuse": reason.name(),
            "status": nearside_proxy::page::status(reason),
            "route": id.and_then(route),
            "why": reason.sentence(),
        }),
    }
}

/// The table for people.
pub(crate) fn draw(told: &Value) -> String {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    let mut table = out::table(&["step", "backend", "reason", "why"]);
    for (index, step) in told.get("steps").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let title = format!("{:>2} {}", index + 1, text(step, "step"));
        let events = step.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        if events.is_empty() {
            table.add_row([title.as_str(), "", "passes all on", ""]);
        }
        for (row, event) in events.iter().enumerate() {
            let title = if row == 0 { title.clone() } else { String::new() };
            let reason = if event.get("readmitted").is_some() {
                "readmitted".to_owned()
            } else {
                text(event, "reason")
            };
            let backend = event.get("backend").and_then(Value::as_str).unwrap_or_default().to_owned();
            table.add_row([title, backend, reason, text(event, "why")]);
        }
    }
    let (request, choice) = (&told["request"], &told["choice"]);
    let line = if choice.get("forward").is_some() {
        format!(
            "=> {} in {}: {} ({})",
            text(choice, "forward"),
            text(choice, "region"),
            text(choice, "reason"),
            text(choice, "why")
        )
    } else if choice.get("answer").is_some() {
        format!("=> answered here by route {}", text(choice, "answer"))
    } else {
        format!("=> refused with {}: {} ({})", choice["status"], text(choice, "refuse"), text(choice, "why"))
    };
    format!(
        "{} {}{} from {}\n{}{line}",
        text(request, "method"),
        text(request, "host"),
        text(request, "path"),
        text(request, "client"),
        out::draw(&mut table),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
            down: Vec::new(),
            drain: Vec::new(),
            place: Some("DE,50.11,8.68".to_owned()),
            seed: 1,
            json: false,
            file: "routes.yaml".into(),
        };
        changes(&mut args);
        let (generation, ..) = nearside_config::load(FILE).unwrap();
        let text = match explain(generation, &args) {
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
            "GET www.example.com/shop/a from 192.0.2.1\n\
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
