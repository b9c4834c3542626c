//! What the running PoP has measured, read back from its status: how backends are, and what regions are offered.

use crate::told::list;
use nearside_core::generation::Backend;
use nearside_core::{Generation, State, Verdict};
use nearside_whatif::{Entrance, Load, Scene};
use serde_json::Value;

/// The backends of `generation` as `status` tells of them. One that it does not know yet is taken for well.
pub(crate) fn scene<'g>(status: &Value, generation: &'g Generation) -> Scene<'g> {
    let state = |backend: &Backend| {
        let told = list(status, "backends").find(|told| told["key"] == backend.key.as_str());
        told.map_or(State { verdict: Verdict::Healthy, ..State::default() }, |told| state(told, status))
    };
    let states = generation.backends.iter().map(state).collect();
    Scene { generation, states, entrance: Entrance::Measured }
}

fn state(told: &Value, status: &Value) -> State {
    let verdict = match told["verdict"].as_str() {
        Some("unhealthy") => Verdict::Unhealthy,
        Some("healthy") => Verdict::Healthy,
        _ => Verdict::Unknown,
    };
    let later = |key: &str| told[key].as_u64() > status["now"].as_u64();
    State {
        verdict,
        ejected: told["ejected_until"].is_u64() && later("ejected_until"),
        suspected: told["standing"] == "suspected",
        held: told["held_until"].is_u64() && later("held_until"),
        rtt_micros: told["rtt_ms"].as_f64().map(micros),
        ..State::default()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn micros(millis: f64) -> u32 {
    (millis * 1000.0).round() as u32
}

/// What each region carries for the whole fleet, if this PoP is like the others: what it is offered here, as far as it
/// keeps it, times the number of PoPs. Nothing is measured where no capacity is declared.
pub(crate) fn load(status: &Value, generation: &Generation) -> Load {
    let pops = f64::from(generation.fleet.pops.max(1));
    let each = generation.regions.iter().map(|region| {
        let told = list(status, "regions").find(|told| told["name"] == *region.name)?;
        let (offered, capacity) = (told["offered_rps"].as_f64()?, told["capacity_rps"].as_f64());
        Some(capacity.map_or(offered * pops, |most| (offered * pops).min(most)))
    });
    let all: Vec<Option<f64>> = each.collect();
    if all.iter().all(Option::is_none) { Load::Unknown } else { Load::Measured(all) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_is_what_is_supposed() {
        let text = "version: 1\nfleet: { pops: 3 }\nregions: { a: { capacity: 100 rps }, b: {}, c: {} }\n\
                    routes: [{ host: h.example, backends: [{ id: one, url: \"http://127.0.0.1:1\", region: a }, \
                    { id: two, url: \"http://127.0.0.1:2\", region: b }, { id: new, url: \"http://127.0.0.1:3\", region: c }] }]\n\
                    listeners: [{ bind: \"127.0.0.1:8443\" }]\n";
        let (generation, ..) = nearside_config::load(text).unwrap();
        let status = json!({
            "now": 5,
            "regions": [
                { "name": "a", "offered_rps": 50, "capacity_rps": 100 },
                { "name": "b", "offered_rps": 7, "capacity_rps": null },
            ],
            "backends": [
                { "key": generation.backends[0].key.as_str(), "verdict": "unhealthy", "rtt_ms": 1.5 },
                { "key": generation.backends[1].key.as_str(), "verdict": "healthy", "ejected_until": 9, "held_until": 4 },
            ],
        });
        let states = scene(&status, &generation).states;
        let as_found: Vec<_> =
            states.iter().map(|it| (it.verdict, it.ejected, it.held, it.rtt_micros)).collect();
        assert_eq!(
            as_found,
            [
                (Verdict::Unhealthy, false, false, Some(1500)),
                (Verdict::Healthy, true, false, None),
                (Verdict::Healthy, false, false, None),
            ]
        );
        // A region keeps no more than its capacity: the rest is counted where it went.
        assert_eq!(load(&status, &generation), Load::Measured(vec![Some(100.0), Some(21.0), None]));
        assert_eq!(
            load(&json!({ "regions": [{ "name": "a", "offered_rps": null }] }), &generation),
            Load::Unknown
        );
    }
}
