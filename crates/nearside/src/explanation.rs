//! An explanation: a decision's steps with every candidate and its reason, as data and as a table.

use crate::out;
use crate::told::{list, text, text_or_dash, texts};
use nearside_core::place::{Country, Place};
use nearside_core::trace::Event;
use nearside_core::{BackendId, Choice, Facts, FullTrace, Generation, Reason, RouteId, Target};
use serde_json::{Value, json};

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
        "request": {
            "method": facts.method,
            "host": facts.host,
            "path": facts.path,
            "client": facts.client.ip().to_string(),
            "place": place_of(&facts.place),
            "home": facts.home,
            "pin": facts.pin.map(|pin| [pin.first, pin.second].map(|it| it.map(|it| name_of(generation, it)))),
        },
        "generation": generation.stamp.to_string(),
        "choice": outcome(generation, choice),
        "steps": steps,
    })
}

fn name_of(generation: &Generation, target: Target) -> String {
    let name = match target {
        Target::Region(id) => generation.region(id).map(|region| region.name.to_string()),
        Target::Backend(id) => generation.backend(id).map(|backend| backend.name.to_string()),
    };
    name.unwrap_or_else(|| "?".to_owned())
}

/// What the request says of itself: what is believed of it, and what has no effect.
fn claims(request: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    if let Some(home) = request["home"].as_str() {
        lines.push(format!("home {home}"));
    }
    if request["pin"].is_array() {
        let names = texts(request, "pin");
        let places = if names.is_empty() { "a place that is gone".to_owned() } else { names.join(", then ") };
        lines.push(format!("pinned to {places}"));
    }
    for doubt in list(request, "disbelieved") {
        let what = match doubt["claim"].as_str() {
            Some("affinity") => "the affinity cookie",
            Some("home") => "the home",
            _ => "what it says of the client's address",
        };
        lines.push(format!("not believed: {what} ({}); it has no effect", text(doubt, "why")));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// A place in words: `US-CA`, `DE`, `somewhere in EU`, or `an unknown place`.
pub(crate) fn place_of(place: &Place) -> String {
    match (place.state, place.country, place.continent) {
        (Some(state), ..) => state.to_string(),
        (None, Country::UNKNOWN, Some(continent)) => format!("somewhere in {continent}"),
        (None, Country::UNKNOWN, None) => "an unknown place".to_owned(),
        (None, country, _) => country.to_string(),
    }
}

fn note(steps: &mut [Value], event: Value) {
    if let Some(events) =
        steps.last_mut().and_then(|step| step.get_mut("events")).and_then(Value::as_array_mut)
    {
        events.push(event);
    }
}

fn why(generation: &Generation, id: BackendId, reason: Reason) -> String {
    let mark = generation.backend(id).and_then(|backend| generation.drain_of(backend));
    match mark {
        Some(drain) if reason == Reason::ExcludedDrained => {
            format!("{}: {:?}", reason.sentence(), drain.reason)
        }
        _ => reason.sentence().to_owned(),
    }
}

/// What becomes of the request, as data.
pub(crate) fn outcome(generation: &Generation, choice: Choice) -> Value {
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

/// The table of the steps.
pub(crate) fn steps(told: &Value) -> String {
    let mut table = out::table(&["step", "backend", "reason", "why"]);
    for (index, step) in list(told, "steps").enumerate() {
        let title = format!("{:>2} {}", index + 1, text_or_dash(step, "step"));
        if list(step, "events").next().is_none() {
            table.add_row([title.as_str(), "", "passes all on", ""]);
        }
        for (row, event) in list(step, "events").enumerate() {
            let title = if row == 0 { title.clone() } else { String::new() };
            let reason = if event.get("readmitted").is_some() {
                "readmitted".to_owned()
            } else {
                text_or_dash(event, "reason")
            };
            let backend = text(event, "backend");
            table.add_row([title, backend, reason, text_or_dash(event, "why")]);
        }
    }
    out::draw(&mut table)
}

/// The table for people, with what was asked and what is chosen.
pub(crate) fn draw(told: &Value) -> String {
    let request = &told["request"];
    let pop = request["pop"].as_str().map_or_else(String::new, |pop| format!(", at PoP {pop}"));
    let ending = match told["shares"].as_array() {
        Some(shares) if shares.len() > 1 => {
            let each = shares.iter().map(|one| {
                format!("{:>4.0} % {}", one["share"].as_f64().unwrap_or(0.0) * 100.0, ending(one))
            });
            format!(
                "Of such requests, which differ by chance alone:\n{}",
                each.collect::<Vec<_>>().join("\n")
            )
        }
        _ => ending(&told["choice"]),
    };
    format!(
        "{} {}{} from {} ({}){pop}\n{}{}{ending}",
        text_or_dash(request, "method"),
        text_or_dash(request, "host"),
        text_or_dash(request, "path"),
        text_or_dash(request, "client"),
        text_or_dash(request, "place"),
        claims(request),
        steps(told),
    )
}

/// What becomes of a request, in a line.
fn ending(choice: &Value) -> String {
    if choice.get("forward").is_some() {
        format!(
            "=> {} in {}: {} ({})",
            text_or_dash(choice, "forward"),
            text_or_dash(choice, "region"),
            text_or_dash(choice, "reason"),
            text_or_dash(choice, "why")
        )
    } else if choice.get("answer").is_some() {
        format!("=> answered here by route {}", text_or_dash(choice, "answer"))
    } else {
        format!(
            "=> refused with {}: {} ({})",
            choice["status"],
            text_or_dash(choice, "refuse"),
            text_or_dash(choice, "why")
        )
    }
}
