//! What is left to serve a pool once a mark holds.

use nearside_core::Generation;
use nearside_core::generation::Pool;
use serde_json::Value;

/// A warning for each pool that `new` leaves without a backend, or without one that the running PoP finds usable,
/// where `old` did not.
pub(super) fn warnings(old: &str, new: &str, status: Option<&Value>) -> Vec<String> {
    let (Ok((before, ..)), Ok((after, ..))) = (nearside_config::load(old), nearside_config::load(new)) else {
        return Vec::new();
    };
    let each = after.pools.iter().filter_map(|pool| {
        let known = before.pools.iter().find(|known| known.name == pool.name);
        let (now, then) = (left(&after, pool), known.map(|known| left(&before, known))?);
        (now != then).then(|| warning(pool, &now, status)).flatten()
    });
    each.collect()
}

/// The keys of the backends that no mark keeps from new requests.
fn left<'a>(generation: &'a Generation, pool: &Pool) -> Vec<&'a str> {
    let each = generation.backends_of(pool).iter().filter(|backend| {
        let region = generation.region(backend.region);
        backend.drain.is_none() && region.is_none_or(|region| region.drain.is_none())
    });
    each.map(|backend| backend.key.as_str()).collect()
}

fn warning(pool: &Pool, left: &[&str], status: Option<&Value>) -> Option<String> {
    let pool = &pool.name;
    if left.is_empty() {
        return Some(format!("nothing is left to serve pool {pool}: its requests are refused with 503"));
    }
    let found = status?["backends"].as_array()?;
    let unusable =
        |key: &&str| found.iter().any(|backend| backend["key"] == **key && backend["usable"] == false);
    left.iter().all(unusable).then(|| {
        format!("none of the backends that are left to pool {pool} is usable now: {}", left.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_config::edit::{Target, drain};
    use serde_json::json;

    const FILE: &str = "version: 1
regions: { a: {}, b: {} }
pools:
  web:
    backends:
      - { id: one, url: \"http://127.0.0.1:1\", region: a }
      - { id: two, url: \"http://127.0.0.1:2\", region: b }
  solo: { backends: [{ id: three, url: \"http://127.0.0.1:3\", region: b }] }
routes: [{ host: h.example, pool: web }, { host: i.example, pool: solo }]
listeners: [{ bind: \"127.0.0.1:8443\" }]
";

    fn check(marked: &str, target: &str, usable: bool, expected: &[&str]) {
        let old = drain(FILE, Target::parse(marked), "before").unwrap();
        let new = drain(&old, Target::parse(target), "now").unwrap();
        let backends = ["web/one", "web/two"].map(|key| json!({ "key": key, "usable": usable }));
        let status = json!({ "backends": backends });
        assert_eq!(warnings(&old, &new, Some(&status)), expected, "{target} after {marked}");
    }

    #[test]
    fn a_pool_that_is_left_without_a_usable_backend_is_told() {
        let none = |pool| format!("nothing is left to serve pool {pool}: its requests are refused with 503");
        check("solo/three", "a", true, &[]);
        check(
            "solo/three",
            "a",
            false,
            &["none of the backends that are left to pool web is usable now: web/two"],
        );
        check("web/one", "b", true, &[&none("web"), &none("solo")]);
        check("a", "web/two", true, &[&none("web")]);
        // What is marked already is no news.
        check("b", "solo/three", true, &[]);
    }
}
