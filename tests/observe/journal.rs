//! The journal: an incident as the entries tell it, in order, with who said so and on which evidence.

use nearside_tests::client::{self, url};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Stage, eventually};
use serde_json::Value;
use std::fs;
use tokio::task::block_in_place;

/// Fails back at once, and what is drained has a second.
const MORE: &str = "shutdown: { deadline: 2s }\n";

async fn stage() -> Stage {
    Stage::by(Setting::new(), &[nearside_tests::program().into()], MORE).await
}

/// What the command says, as JSON.
pub(crate) fn entries(edge: &Edge, more: &[&str]) -> Vec<Value> {
    let output = edge.call(&[&["journal", "--json"], more].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let page: Value = serde_json::from_str(&text).unwrap();
    page["entries"].as_array().unwrap().clone()
}

/// Kind, event and subject of each.
fn story(entries: &[Value]) -> Vec<String> {
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    let line = |entry: &Value| {
        let subject = word(entry, "subject");
        // Paths, numbers and hashes are others in each run.
        let subject = match entry["kind"].as_str().unwrap() {
            "health" | "ejection" | "drain" | "failover" => format!(" {subject}"),
            _ => String::new(),
        };
        format!("{} {}{subject}", word(entry, "kind"), word(entry, "event"))
    };
    entries.iter().map(line).collect()
}

/// Waits for an entry.
pub(crate) async fn told(edge: &Edge, what: &str) -> Value {
    let find = || {
        let entries = entries(edge, &[]);
        let index = story(&entries).iter().position(|line| line == what)?;
        entries.get(index).cloned()
    };
    eventually(&format!("the entry {what:?}"), async || block_in_place(find)).await
}

/// A region fails and comes back, a file is refused, a drain is not empty when its time is over; and the process ends.
async fn incident(stage: &mut Stage) {
    let edge = &mut stage.edge;
    let failback = "    failback: { hold: 1s, ramp: 1s }\n    backends:";
    edge.reload(|text| text.replacen("    backends:", failback, 1)).await;

    nearside_tests::backend::kill(&[&stage.frankfurt]);
    told(edge, "failover failover web").await;
    stage.frankfurt.again().await;
    let back = told(edge, "failover failback web").await;
    // The past is asked about a moment a little later, before which nothing else is to happen.
    eventually("the time after the failback", async || explained(edge, &after(&back, 100)).ok()).await;

    edge.rewrite(|text| text.replacen("pool: web", "pool: wbe", 1));
    told(edge, "generation refused").await;
    edge.rewrite(|text| text.replacen("pool: wbe", "pool: web", 1));

    let open = client::reqwest(edge, true).get(url(edge, "/drip/300/100")).send().await.unwrap();
    assert_eq!(open.headers()["x-sample-region"], "frankfurt");
    let drain = "frankfurt: { drain: { reason: \"CHG-7\", by: ann, grace: 1s } }";
    edge.reload(|text| text.replacen("frankfurt: {}", drain, 1)).await;
    told(edge, "drain emptied frankfurt").await;
    drop(open);
    edge.reload(|text| text.replacen(drain, "frankfurt: {}", 1)).await;
    told(edge, "drain ended frankfurt").await;
    edge.signal("TERM");
    assert!(edge.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_in_order_with_reasons_and_figures() {
    let mut stage = stage().await;
    incident(&mut stage).await;
    // Nobody runs any more: the folder alone tells it.
    let all = entries(&stage.edge, &[]);
    in_order(&all);

    let told = story(&all);
    let find = |line: &str| &all[told.iter().position(|one| one == line).unwrap()];
    let fell = find("health fell web/fra-a");
    assert_eq!(
        (&fell["from"], &fell["to"], &fell["region"]),
        (&"healthy".into(), &"unhealthy".into(), &"frankfurt".into())
    );
    assert_eq!(
        (&fell["by"], &fell["evidence"]["probes_failed_in_a_row"]),
        (&"probe".into(), &2.into()),
        "{fell}"
    );
    assert!(fell["reason"].as_str().unwrap().contains("failed in a row"), "{fell}");
    let failover = find("failover failover web");
    assert_eq!(
        (&failover["from"], &failover["to"]),
        (&"tier 1: frankfurt".into(), &"tier 2: virginia".into())
    );
    let cause = &failover["evidence"]["dropped"][0];
    assert_eq!((&cause["backend"], &cause["by"]), (&"web/fra-a".into(), &"probe".into()), "{failover}");
    assert_eq!(failover["evidence"]["shares"]["virginia"], 1.0);
    let refused = find("generation refused");
    assert!(refused["reason"].as_str().unwrap().contains("the pool \"wbe\" is not declared"), "{refused}");
    assert_eq!(refused["evidence"]["report"]["errors"], 1);
    let late = find("drain timed_out frankfurt");
    assert_eq!((&late["by"], &late["evidence"]["in_flight"]), (&"ann".into(), &1.into()), "{late}");
    assert_eq!(late["evidence"]["drain"], "CHG-7");
}

/// What `explain --at` says of a moment, as JSON; or why it says nothing.
fn explained(edge: &Edge, at: &str) -> Result<Value, String> {
    let output = edge.call(&["explain", "--host", "www.example.com", "--at", at, "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    match serde_json::from_str(&text) {
        Ok(told) => Ok(told),
        Err(_) => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// The moment so many milliseconds after that of an entry.
fn after(entry: &Value, millis: u64) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    let time = entry["time"].as_str().unwrap();
    let time =
        time::PrimitiveDateTime::parse(time, format).unwrap() + std::time::Duration::from_millis(millis);
    time.format(format).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_explained_by_the_evidence_and_the_file_of_then() {
    let mut stage = stage().await;
    incident(&mut stage).await;
    let edge = &stage.edge;
    let all = entries(edge, &[]);
    let told = story(&all);
    let find = |line: &str| &all[told.iter().position(|one| one == line).unwrap()];
    let check = |entry: &str, region: &str, reason: &str| {
        let told = explained(edge, &after(find(entry), 100)).unwrap();
        assert_eq!(told["choice"]["region"], region, "{entry}: {told:#}");
        assert_eq!(told["choice"]["reason"], reason, "{entry}: {told:#}");
        assert_eq!(told["shares"][0]["share"], 1.0, "{told:#}");
        told
    };
    check("generation swapped", "frankfurt", "won.priority");
    let failed = check("failover failover web", "virginia", "won.failover");
    assert_eq!(failed["steps"][4]["events"][0]["reason"], "excluded.unhealthy", "{failed:#}");
    assert!(
        failed["past"]["backends"]["web/fra-a"].as_str().unwrap().starts_with("probe says so since"),
        "{failed:#}"
    );
    assert!(failed["past"]["generation"].as_str().unwrap().starts_with("2-"), "{failed:#}");
    assert!(failed["past"]["evidence_age_s"].as_f64().unwrap() < 5.0, "{failed:#}");
    check("failover failback web", "frankfurt", "won.priority");
    let drained = check("drain begun frankfurt", "virginia", "won.only");
    assert_eq!(
        drained["steps"][3]["events"][0]["why"], "it or its region is marked drained: \"CHG-7\"",
        "{drained:#}"
    );
    check("drain ended frankfurt", "frankfurt", "won.priority");

    let nothing = explained(edge, "2020-02-02T14:03:00Z").unwrap_err();
    assert!(nothing.contains("nothing is known of 2020-02-02T14:03:00.000Z"), "{nothing}");
    let ahead = explained(edge, "2999-01-01").unwrap_err();
    assert!(ahead.contains("lies ahead"), "{ahead}");

    // What is kept can be taken away; then it is said.
    fs::remove_dir_all(edge.folder().join("state/generations")).unwrap();
    let gone = explained(edge, &after(find("failover failover web"), 100)).unwrap_err();
    assert!(gone.contains("the generation of then is not kept any more"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_chance_decides_is_explained_as_shares() {
    let stage = stage().await;
    let edge = &stage.edge;
    edge.reload(|text| text.replacen("priority: 2", "weight: 150", 1)).await;
    let swapped = told(edge, "generation swapped").await;
    let moment = after(&swapped, 300);
    let explained = || explained(edge, &moment).ok();
    let told = eventually("the evidence of that time", async || block_in_place(explained)).await;
    let shares = told["shares"].as_array().unwrap();
    let share = |region: &str| {
        let found = shares.iter().find(|one| one["region"] == region);
        found.map_or(0.0, |one| one["share"].as_f64().unwrap())
    };
    assert!((share("virginia") - 0.75).abs() < 0.06 && (share("frankfurt") - 0.25).abs() < 0.06, "{told:#}");
    let output = edge.call(&["explain", "--host", "www.example.com", "--at", &moment]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("At 20") && text.contains("Of such requests, which differ by chance alone:"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_share_each_region_has_and_why() {
    let stage = stage().await;
    let edge = &stage.edge;
    for _ in 0..5 {
        assert!(client::ask(edge, "/", &[]).await.status().is_success());
    }
    let region = |name: &str| {
        let status = edge.status();
        let regions = status["regions"].as_array().unwrap().clone();
        regions.into_iter().find(|region| region["name"] == name).unwrap()["traffic"].clone()
    };
    let counted = async || Some(region("frankfurt")).filter(|traffic| traffic["requests"] == 5);
    let frankfurt = eventually("five requests in the history", counted).await;
    assert_eq!(
        (&frankfurt["share"], &frankfurt["reasons"]),
        (&1.0.into(), &serde_json::json!({ "won.priority": 5 }))
    );
    let virginia = region("virginia");
    assert_eq!(
        (&virginia["share"], &virginia["left_out"][0]["reason"]),
        (&0.0.into(), &"lost.priority".into())
    );
    let output = edge.call(&["status"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("won.priority 5") && table.contains("web: lost.priority"), "{table}");

    let json = |path: &str| -> Value { serde_json::from_str(&edge.ask(path).unwrap().1).unwrap() };
    let history = json("/history");
    let samples = history["samples"].as_array().unwrap();
    assert!(samples.iter().any(|sample| sample["regions"]["frankfurt"]["requests"] == 5), "{history}");
    let journal = json("/journal?since=1h%20ago");
    assert_eq!(story(journal["entries"].as_array().unwrap())[0], "process started");
    assert_eq!(edge.ask("/journal?since=nonsense").unwrap().0, 400);
}

/// Whether all that has happened is there, in the order in which it has.
fn in_order(all: &[Value]) {
    let wanted = [
        "process started",
        "certificate loaded",
        "generation swapped",
        "health fell web/fra-a",
        "failover failover web",
        "health rose web/fra-a",
        "failover failback web",
        "generation refused",
        "generation swapped",
        "drain begun frankfurt",
        "failover failover web",
        "drain timed_out frankfurt",
        "drain emptied frankfurt",
        "generation swapped",
        "drain ended frankfurt",
        "process stopping",
        "process stopped",
    ];
    let told = story(all);
    let mut rest = told.iter();
    for line in wanted {
        assert!(rest.any(|one| one == line), "{line:?} is missing, or in the wrong place, in {told:#?}");
    }
    let times: Vec<&str> = all.iter().map(|entry| entry["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_a_table_and_can_be_narrowed_down() {
    let stage = stage().await;
    let edge = &stage.edge;
    nearside_tests::backend::kill(&[&stage.frankfurt]);
    told(edge, "failover failover web").await;
    let kinds = |more: &[&str]| {
        let mut kinds: Vec<String> = story(&entries(edge, more))
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&["--kind", "health,failover"]), ["failover", "health"]);
    assert_eq!(kinds(&["--backend", "fra-a"]), ["health"]);
    assert_eq!(kinds(&["--region", "virginia", "--kind", "failover"]), ["failover"]);
    assert_eq!(kinds(&["--until", "1h ago"]), [""; 0]);
    let output = edge.call(&["journal", "--since", "10m ago", "--kind", "health", "--region", "frankfurt"]);
    let (table, source) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(table.starts_with("TIME") && table.contains("healthy -> unhealthy"), "{table}");
    assert!(source.contains("state/journal: ") && source.trim_end().ends_with(" from 1 day"), "{source}");
    let output = edge.call(&["journal", "--kind", "nonsense"]);
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_is_told_of_by_the_next_one_and_its_torn_line_is_left_out() {
    let mut stage = stage().await;
    let before = stage.edge.pid();
    stage.edge.signal("KILL");
    stage.edge.ended().await;
    let folder = stage.edge.folder().join("state/journal");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("{\"time\":\"2026-11-21T00:00:0");
    fs::write(&file, text).unwrap();
    stage.edge.again(&[nearside_tests::program().into()]).await;
    let lost = told(&stage.edge, "process lost").await;
    assert_eq!(lost["evidence"]["pid"], before, "{lost}");
    let output = stage.edge.call(&["journal"]);
    let source = String::from_utf8(output.stderr).unwrap();
    assert!(source.contains("1 lines are unreadable"), "{source}");
}
