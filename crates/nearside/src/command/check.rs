//! `nearside check`: everything that is wrong with a file, and what it comes to when things fail.

mod prove;

use crate::args::CheckArgs;
use crate::gates::{self, Around, seconds};
use crate::told::{list, text};
use crate::{Done, file, forecast, out};
use anyhow::Context;
use nearside_config::Report;
use nearside_core::{BackendId, Generation};
use nearside_tls::Clock;
use nearside_whatif::{Serving, failover_bound, overloads, probe_volume, region_loss, serving};
use serde_json::{Value, json};

/// Prints every error and warning; fails when `run` would refuse the file.
pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<Done> {
    let loaded = match file::load(&args.file)? {
        Ok(loaded) => loaded,
        Err(report) => return Ok(refused(args, &report)),
    };
    // The file is judged, and no PoP's state: keys and authority that it may need are made and forgotten.
    let state = tempfile::tempdir().context("cannot make a temporary folder")?;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let around = Around { state: state.path(), clock: &Clock::system(), now, previous: None, tables: None };
    let passed = match gates::pass(loaded, &around) {
        Ok(passed) => passed,
        Err(report) => return Ok(refused(args, &report)),
    };
    if args.prove {
        return Ok(prove::run(&passed.generation, args.json));
    }
    let told = tell(&passed.generation, &passed.warnings);
    if args.effective {
        let text = file::text(&args.file)?;
        let checked = nearside_config::parse(&text).and_then(nearside_config::check);
        out::text(&checked.map(|checked| nearside_config::effective(&checked)).unwrap_or_default());
        // The file is what was asked for; what is doubtful about it must not get into it.
        if !passed.warnings.problems().is_empty() {
            out::error(&passed.warnings.to_string());
        }
    } else if args.json {
        out::json(&told);
    } else {
        out::text(&format!("{}\n\n{}", passed.warnings, draw(&told)));
    }
    Ok(Done::Fine)
}

fn refused(args: &CheckArgs, report: &Report) -> Done {
    if args.json {
        out::json(&report.to_json());
    } else {
        out::text(&report.to_string());
    }
    Done::Refused
}

/// The report with what the file comes to.
fn tell(generation: &Generation, warnings: &Report) -> Value {
    let pool = |serving: &Serving| generation.pool(serving.pool).map_or("", |pool| &*pool.name);
    let name = |id: BackendId| generation.backend(id).map_or("", |backend| &*backend.name);
    let served = |all: &[Serving]| -> Vec<Value> {
        let parts = |serving: &Serving| -> Vec<Value> {
            let each = serving.parts.iter();
            each.map(|part| json!({ "backend": name(part.backend), "share": part.share.fraction() }))
                .collect()
        };
        all.iter().map(|serving| json!({ "pool": pool(serving), "served_by": parts(serving) })).collect()
    };
    let (loss, loads) = (region_loss(generation), overloads(generation));
    let regions = loss.iter().map(|loss| {
        let region = generation.region(loss.region).map_or("", |region| &*region.name);
        let load = loads.iter().find(|load| load.lost == loss.region);
        let load = load.map(|load| forecast::regions(generation, &load.shift));
        json!({ "region": region, "pools": served(&loss.pools), "load": load })
    });
    let bounds = generation.pools.iter().map(|pool| {
        let bound = failover_bound(pool);
        let (silent, refusing) = (bound.silent.as_secs_f64(), bound.refusing.as_secs_f64());
        json!({ "pool": &*pool.name, "silent_s": silent, "refusing_s": refusing })
    });
    let probes = probe_volume(generation).total;
    let mut told = warnings.to_json();
    if let Some(fields) = told.as_object_mut() {
        fields.insert("failover_bound".to_owned(), bounds.collect());
        fields.insert("serving".to_owned(), json!(served(&serving(generation))));
        fields.insert("region_loss".to_owned(), regions.collect());
        fields.insert(
            "probes_per_second".to_owned(),
            json!({ "steady": probes.steady, "looking": probes.looking }),
        );
    }
    told
}

fn draw(told: &Value) -> String {
    let mut bounds = out::table(&["pool", "a silent backend is found out within", "a refusing one"]);
    for bound in list(told, "failover_bound") {
        bounds.add_row([text(bound, "pool"), time(bound, "silent_s"), time(bound, "refusing_s")]);
    }
    let mut losses = out::table(&["lost region", "pool", "then served by"]);
    for serving in list(told, "serving") {
        losses.add_row(["none".to_owned(), text(serving, "pool"), parts(serving)]);
    }
    for loss in list(told, "region_loss") {
        for (row, serving) in list(loss, "pools").enumerate() {
            let region = if row == 0 { text(loss, "region") } else { String::new() };
            losses.add_row([region, text(serving, "pool"), parts(serving)]);
        }
    }
    let mut loads = out::table(&["lost region", "region", "carries", "would carry", "capacity", ""]);
    for loss in list(told, "region_loss") {
        for (row, cells) in list(loss, "load").filter_map(load).enumerate() {
            let region = if row == 0 { text(loss, "region") } else { String::new() };
            loads.add_row(std::iter::once(region).chain(cells));
        }
    }
    let loads = match loads.row_count() {
        0 => String::new(),
        _ => {
            format!("\n{}(if each region that serves carries its declared capacity)\n", out::draw(&mut loads))
        }
    };
    let rate =
        |key: &str| told.pointer(&format!("/probes_per_second/{key}")).and_then(Value::as_f64).unwrap_or(0.0);
    format!(
        "{}\n{}(as if all regions were equally near)\n{loads}\nEach PoP sends {:.1} probes a second, and up to {:.1} while verdicts are open.\n\
         Requests need not wait for a verdict: a refused connection goes on to the next backend at once.",
        out::draw(&mut bounds),
        out::draw(&mut losses),
        rate("steady"),
        rate("looking"),
    )
}

/// The row of a region that gets more than it has, or might.
fn load(told: &Value) -> Option<[String; 5]> {
    let [before, after] = ["rps_before", "rps_after"].map(|key| told[key].as_f64());
    if before.is_some() && after <= before {
        return None;
    }
    let rps = |rps: Option<f64>| rps.map_or_else(|| "unknown".to_owned(), |rps| format!("{rps:.0} rps"));
    let verdict = match told["overloaded"].as_bool() {
        Some(true) => "OVERLOADED",
        Some(false) => "",
        None => "unknown",
    };
    let capacity = rps(told["capacity_rps"].as_f64());
    Some([text(told, "region"), rps(before), rps(after), capacity, verdict.to_owned()])
}

fn parts(serving: &Value) -> String {
    let part = |part: &Value| {
        let share = part.get("share").and_then(Value::as_f64).unwrap_or(0.0);
        format!("{} {:.0} %", text(part, "backend"), share * 100.0)
    };
    let parts: Vec<String> = list(serving, "served_by").map(part).collect();
    if parts.is_empty() { "NOTHING that is well".to_owned() } else { parts.join(", ") }
}

fn time(value: &Value, key: &str) -> String {
    let time = value.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    seconds(std::time::Duration::try_from_secs_f64(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_say_what_is_left_when_a_region_is_lost() {
        let text = "version: 1\nregions: { a: {}, b: {} }\npools:\n  web:\n    backends:\n      \
                    - { id: one, url: \"http://127.0.0.1:1\", region: a }\n      \
                    - { id: two, url: \"http://127.0.0.1:2\", region: b, priority: 2 }\n  \
                    solo: { backends: [{ id: three, url: \"http://127.0.0.1:3\", region: b }] }\n\
                    routes: [{ host: h.example, pool: web }, { host: i.example, pool: solo }]\n\
                    listeners: [{ bind: \"127.0.0.1:8443\" }]\n";
        let (generation, source, _) = nearside_config::load(text).unwrap();
        let text = draw(&tell(&generation, &Report::new(&source, Vec::new())));
        let rows: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "web 11.5 s 7.7 s",
            "none web one 100 %",
            "none solo three 100 %",
            "a web two 100 %",
            "b web one 100 %",
            "solo NOTHING that is well",
            "Each PoP sends 0.6 probes a second, and up to 3.0 while verdicts are open.",
        ];
        for row in expected {
            assert!(rows.iter().any(|found| found == row), "{row:?} in\n{text}");
        }
        assert!(!text.contains("WOULD CARRY"), "no capacity is declared:\n{text}");
    }

    #[test]
    fn the_loss_of_a_region_is_told_against_what_the_others_are_declared_for() {
        let text = "version: 1\nregions: { a: { capacity: 100 rps }, b: { capacity: 60 rps }, c: {} }\npools:\n  web:\n    backends:\n      \
                    - { id: one, url: \"http://127.0.0.1:1\", region: a }\n      \
                    - { id: two, url: \"http://127.0.0.1:2\", region: b, priority: 2 }\n  \
                    other: { backends: [{ id: three, url: \"http://127.0.0.1:3\", region: c }] }\n\
                    routes: [{ host: h.example, pool: web }, { host: i.example, pool: other }]\n\
                    listeners: [{ bind: \"127.0.0.1:8443\" }]\n";
        let (generation, source, _) = nearside_config::load(text).unwrap();
        let told = tell(&generation, &Report::new(&source, Vec::new()));
        let text = draw(&told);
        let rows: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(rows.iter().any(|row| row == "a b 0 rps 100 rps 60 rps OVERLOADED"), "{text}");
        assert_eq!(told["region_loss"][0]["load"][1]["overloaded"], true);
        assert_eq!(told["region_loss"][1]["load"][0]["overloaded"], false);
    }
}
