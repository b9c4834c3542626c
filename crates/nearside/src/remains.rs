//! What remains once a mark holds: whether it can carry the load, and whether all requests are still served.

use crate::{forecast, measured};
use nearside_whatif::{Demand, Entrance, Load, Scene, Shift};
use serde_json::Value;

/// What speaks against a mark.
#[derive(Debug, Default)]
pub(crate) struct Objections {
    /// Why it is refused.
    pub(crate) grave: Vec<String>,
    /// What nobody knows.
    pub(crate) doubtful: Vec<String>,
    /// On what the figures rest.
    pub(crate) basis: String,
    /// What each region carries before and after.
    pub(crate) regions: Vec<Value>,
}

/// What speaks against the change from `old` to `new`, by what the running PoP has measured where one runs: a region
/// that would get more than it is declared for, and requests that nothing would serve that is well, though something does
/// now. Without one, all backends are taken for well, and regions carry what they are declared for.
pub(crate) fn objections(old: &str, new: &str, status: Option<&Value>) -> Objections {
    let (Ok((before, ..)), Ok((after, ..))) = (nearside_config::load(old), nearside_config::load(new)) else {
        return Objections::default();
    };
    let (is, load) = match status {
        Some(status) => (measured::scene(status, &before), measured::load(status, &before)),
        None => (Scene::well(&before, Entrance::AtTheirPlace), Load::Declared),
    };
    let then = Scene { generation: &after, ..is.clone() };
    let shift = Shift::between(&is, &then, &Demand::even(&before), &load);
    let mut grave = forecast::overloaded(&before, &shift);
    grave.extend(forecast::dark(&before, &shift));
    let doubtful = forecast::doubtful(&before, &shift);
    let (basis, regions) = (forecast::basis(&load, before.fleet.pops), forecast::regions(&before, &shift));
    Objections { grave, doubtful, basis, regions }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_config::edit::{Target, drain};
    use serde_json::json;

    const FILE: &str = "version: 1
fleet: { pops: 2 }
regions: { a: { capacity: 100 rps, jurisdictions: [EU] }, b: { capacity: 100 rps } }
residency: { eu-only: { allow: [EU] } }
pools:
  web:
    backends:
      - { id: one, url: \"http://127.0.0.1:1\", region: a }
      - { id: two, url: \"http://127.0.0.1:2\", region: b }
  solo: { backends: [{ id: three, url: \"http://127.0.0.1:3\", region: b }] }
routes:
  - { host: h.example, pool: web }
  - { host: e.example, pool: web, residency: eu-only }
  - { host: i.example, pool: solo }
listeners: [{ bind: \"127.0.0.1:8443\" }]
";

    fn check(marked: &str, target: &str, status: Option<&Value>, expected: &[&str]) {
        let old = drain(FILE, Target::parse(marked), "before").unwrap();
        let new = drain(&old, Target::parse(target), "now").unwrap();
        assert_eq!(objections(&old, &new, status).grave, expected, "{target} after {marked}");
    }

    fn status(usable: bool, loads: [u64; 2]) -> Value {
        let verdict = if usable { "healthy" } else { "unhealthy" };
        let backends =
            ["web/one", "web/two"].map(|key| json!({ "key": key, "verdict": verdict, "rtt_ms": 1 }));
        let [a, b] = loads.map(|load| json!({ "offered_rps": load, "capacity_rps": 100 }));
        let named = |mut region: Value, name: &str| {
            region["name"] = name.into();
            region
        };
        json!({ "backends": backends, "regions": [named(a, "a"), named(b, "b")] })
    }

    const DARK: &str = "class eu-only would go dark: nothing that is well would be left to serve e.example/* (from everywhere)";

    #[test]
    fn a_class_or_a_route_that_nothing_is_left_to_serve_is_told() {
        let none =
            |name: &str| format!("nothing that is well would be left to serve {name}/* (from everywhere)");
        let quiet = status(true, [0, 0]);
        check("solo/three", "a", Some(&quiet), &[DARK]);
        check("a", "b", Some(&quiet), &[&none("h.example"), &none("i.example")]);
        check("solo/three", "b", Some(&quiet), &[]);
        // What is marked already, or down, is no news.
        check("b", "solo/three", Some(&quiet), &[]);
        check("solo/three", "a", Some(&status(false, [0, 0])), &[]);
    }

    #[test]
    fn a_region_that_would_get_too_much_is_told_with_figures() {
        // Two PoPs: 30 a second here are 60 for the region.
        // Of what a has a third may go to b, by law.
        let busy = status(true, [30, 45]);
        let too_much = "b would get 110 requests a second, and is declared for 100";
        check("solo/three", "a", Some(&busy), &[too_much, DARK]);
        check("solo/three", "a", Some(&status(true, [30, 35])), &[DARK]);
        let declared = "b would get 133 requests a second, and is declared for 100";
        check("solo/three", "a", None, &[declared, DARK]);
    }
}
