//! The past, explained: why did such a request go there at that time?

use super::{beliefs, print, question};
use crate::args::ExplainArgs;
use crate::past::Asked;
use crate::told::{list, text_or_dash};
use crate::{Done, explanation, out, state};
use anyhow::bail;
use nearside_core::Choice;
use nearside_proxy::supposed::Reading;
use nearside_telemetry::journal::moment;
use nearside_whatif::Given;
use serde_json::Value;
use std::time::SystemTime;

/// Requests that are asked about, where chance decides.
const REQUESTS: u32 = 1000;

/// Answers by what the state folder has of `at`.
pub(super) fn run(args: &ExplainArgs, at: SystemTime) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?;
    let asked = Asked::of(&folder, at)?;
    if let Some(wanted) = args.pop.as_deref().filter(|wanted| *wanted != asked.pop()) {
        bail!(
            "the PoP of this state folder was {}, not {wanted}; ask on its machine, or name its folder",
            asked.pop()
        );
    }
    let generation = &asked.again.generation;
    let beliefs = beliefs(generation, args)?;
    let reading = Reading { generation, beliefs: &beliefs, geo: &asked.again.tables, now: asked.now };
    let question = question(args);
    let evidence = |turn| Given { turn, ..asked.evidence.clone() };
    let outcomes = question.shares(&reading, evidence, REQUESTS)?;
    // The steps are those of a request as most of them are.
    let turn = outcomes.first().map_or(0, |outcome| outcome.turn);
    let (mut told, choice) = question.at(turn).answer(&reading, Some(asked.pop()), &evidence(turn))?;
    let shares = outcomes.iter().map(|outcome| {
        let mut told = explanation::outcome(generation, outcome.choice);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("share".to_owned(), outcome.share.into());
        }
        told
    });
    let mut past = asked.tell();
    if args.home.is_none()
        && !(args.cookie.is_empty() && args.header.is_empty())
        && let Some(notes) = past.get_mut("notes").and_then(Value::as_array_mut)
    {
        notes.push("what the request says of itself is verified by the keys of now".into());
    }
    if let Some(fields) = told.as_object_mut() {
        fields.insert("shares".to_owned(), shares.collect());
        fields.insert("past".to_owned(), past.clone());
    }
    if !args.json {
        out::text(&draw(&past));
    }
    let all_refused = outcomes.iter().all(|outcome| matches!(outcome.choice, Choice::Refuse(..)));
    Ok(print(&told, args.json, all_refused && matches!(choice, Choice::Refuse(..))))
}

/// What the answer stands on.
fn draw(past: &Value) -> String {
    let seconds = |name: &str| past[name].as_str().and_then(moment).map(crate::moment::to_second);
    let mut text = format!(
        "At {}, by generation {} and the evidence of {:.1} s before\n",
        seconds("at").unwrap_or_default(),
        text_or_dash(past, "generation"),
        past["evidence_age_s"].as_f64().unwrap_or(0.0),
    );
    for note in list(past, "notes") {
        text.push_str(&format!("note: {}\n", note.as_str().unwrap_or_default()));
    }
    for (key, why) in past["backends"].as_object().into_iter().flatten() {
        text.push_str(&format!("{key}: {}\n", why.as_str().unwrap_or_default()));
    }
    text
}
