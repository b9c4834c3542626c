//! A forecast: where traffic would go, as data, as tables and as sentences.

use crate::out;
use crate::told::{list, text, texts};
use nearside_core::{ClassId, Generation, RouteId};
use nearside_whatif::{Carried, Load, RegionShift, Shift, Unserved};
use serde_json::{Value, json};

/// What each overloaded region would get.
pub(crate) fn overloaded(generation: &Generation, shift: &Shift) -> Vec<String> {
    let each = shift.overloaded().filter_map(|it| {
        let region = generation.region(it.region)?;
        let gets = number(it.after.rps);
        let gets = if it.after.is_known { gets } else { format!("at least {gets}") };
        Some(format!(
            "{} would get {gets} requests a second, and is declared for {}",
            region.name, it.capacity?
        ))
    });
    each.collect()
}

/// Which requests nothing would serve any more.
pub(crate) fn dark(generation: &Generation, shift: &Shift) -> Vec<String> {
    shift.dark.iter().map(|unserved| unserved_by(generation, unserved)).collect()
}

fn unserved_by(generation: &Generation, unserved: &Unserved) -> String {
    let routes = routes(generation, unserved);
    let names = match &*routes {
        [first, _, _, _, ..] => format!("{first} and {} routes more", routes.len() - 1),
        few => few.join(", "),
    };
    let classes = classes(generation, &unserved.classes);
    let places = unserved.places.join("; ");
    if classes.is_empty() {
        format!("nothing that is well would be left to serve {names} (from {places})")
    } else {
        format!(
            "class {} would go dark: nothing that is well would be left to serve {names} (from {places})",
            classes.join(", ")
        )
    }
}

fn routes(generation: &Generation, unserved: &Unserved) -> Vec<String> {
    let name = |id: &RouteId| generation.routes.route(*id).map(|route| route.id.to_string());
    unserved.routes.iter().filter_map(name).collect()
}

fn classes(generation: &Generation, ids: &[ClassId]) -> Vec<String> {
    ids.iter().filter_map(|id| generation.class(*id)).map(|class| class.name.to_string()).collect()
}

/// Regions of which nobody can say whether they can carry what they would get, though it is declared what they can.
pub(crate) fn doubtful(generation: &Generation, shift: &Shift) -> Vec<String> {
    let unknown = |it: &&RegionShift| it.is_overloaded().is_none() && it.capacity.is_some();
    let names = shift.regions.iter().filter(unknown).filter_map(|it| generation.region(it.region));
    names.map(|region| format!("whether {} can carry what it would get is not known", region.name)).collect()
}

/// On what the figures rest.
pub(crate) fn basis(load: &Load, pops: u32) -> String {
    match load {
        Load::Unknown => "the load is not known, so shares are told and no more".to_owned(),
        Load::Total(rps) => format!("at {} requests a second in all", number(*rps)),
        Load::Declared => "if each region that serves carries its declared capacity".to_owned(),
        Load::Measured(_) if pops > 1 => format!("by what this PoP has measured, times {pops} PoPs"),
        Load::Measured(_) => "by what this PoP has measured".to_owned(),
    }
}

/// The forecast as data.
pub(crate) fn tell(generation: &Generation, shift: &Shift, load: &Load) -> Value {
    let places = shift.places.iter().map(|place| {
        let shares = |shares: &[f64]| -> Value {
            let each = generation.regions.iter().zip(shares).filter(|(_, share)| **share > 0.0);
            each.map(|(region, share)| (region.name.to_string(), json!(rounded(*share)))).collect()
        };
        json!({
            "place": place.name,
            "demand": rounded(place.share),
            "before": shares(&place.before),
            "after": shares(&place.after),
        })
    });
    let dark = shift.dark.iter().map(|unserved| {
        json!({
            "routes": routes(generation, unserved),
            "classes": classes(generation, &unserved.classes),
            "places": unserved.places,
            "says": unserved_by(generation, unserved),
        })
    });
    json!({
        "basis": basis(load, generation.fleet.pops),
        "places": places.collect::<Vec<_>>(),
        "regions": regions(generation, shift),
        "dark": dark.collect::<Vec<_>>(),
        "overloaded": overloaded(generation, shift),
        "doubtful": doubtful(generation, shift),
    })
}

/// What regions carry before and after, as data.
pub(crate) fn regions(generation: &Generation, shift: &Shift) -> Vec<Value> {
    let rps = |carried: &Carried| carried.is_known.then(|| rounded(carried.rps));
    let each = shift.regions.iter().map(|it| {
        json!({
            "region": generation.region(it.region).map(|region| region.name.to_string()),
            "share_before": rounded(it.before.share),
            "share_after": rounded(it.after.share),
            "rps_before": rps(&it.before),
            "rps_after": rps(&it.after),
            "capacity_rps": it.capacity,
            "overloaded": it.is_overloaded(),
        })
    });
    each.collect()
}

/// Right to about a percent, as they are.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn number(rps: f64) -> String {
    if 0.0 < rps && rps < 10.0 { format!("{rps:.1}") } else { format!("{rps:.0}") }
}

/// The tables for people, with what is wrong below them.
pub(crate) fn draw(told: &Value) -> String {
    let mut places = out::table(&["place", "demand", "now goes to", "would go to"]);
    for place in list(told, "places") {
        let demand = percent(place["demand"].as_f64().unwrap_or(0.0));
        places.add_row([text(place, "place"), demand, shares(&place["before"]), shares(&place["after"])]);
    }
    let mut lines = vec![
        out::draw(&mut places),
        draw_regions(list(told, "regions")),
        format!("({}; shares are right to about a percent)", text(told, "basis")),
    ];
    for word in ["overloaded", "doubtful"] {
        lines.extend(texts(told, word).into_iter().map(str::to_owned));
    }
    lines.extend(list(told, "dark").map(|dark| text(dark, "says")));
    lines.join("\n")
}

/// The table of regions.
pub(crate) fn draw_regions<'v>(regions: impl Iterator<Item = &'v Value>) -> String {
    let mut table = out::table(&["region", "now", "would be", "capacity", ""]);
    for region in regions {
        let figure = |which: &str| {
            let share = percent(region[format!("share_{which}")].as_f64().unwrap_or(0.0));
            let rps = region[format!("rps_{which}")].as_f64();
            rps.map_or(share, |rps| format!("{} rps", number(rps)))
        };
        let capacity = region["capacity_rps"].as_u64();
        let capacity = capacity.map_or_else(|| "unknown".to_owned(), |rps| format!("{rps} rps"));
        let verdict = match region["overloaded"].as_bool() {
            Some(true) => "OVERLOADED",
            Some(false) => "",
            None => "unknown",
        };
        table.add_row([
            text(region, "region"),
            figure("before"),
            figure("after"),
            capacity,
            verdict.to_owned(),
        ]);
    }
    out::draw(&mut table)
}

fn shares(told: &Value) -> String {
    let mut each: Vec<(&str, f64)> = told
        .as_object()
        .into_iter()
        .flatten()
        .map(|(region, share)| (region.as_str(), share.as_f64().unwrap_or(0.0)))
        .collect();
    each.sort_by(|one, other| other.1.total_cmp(&one.1));
    let served: f64 = each.iter().map(|(_, share)| share).sum();
    if served < 0.995 {
        each.push(("NOT SERVED", 1.0 - served));
    }
    each.iter().map(|(name, share)| format!("{name} {}", percent(*share))).collect::<Vec<_>>().join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
