//! The metrics: judged by Prometheus' own tool, and named as they are wherever we name them.

use nearside_tests::client::{self, url};
use nearside_tests::edge::{NAMES, Setting};
use nearside_tests::load::Load;
use nearside_tests::{Edge, Stage, eventually, tool};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// An edge with capacities and a mark, so that every kind of family has something to say.
async fn stage() -> Stage {
    let stage = Stage::by(Setting::new(), &[nearside_tests::program().into()], "").await;
    let regions = "regions: { frankfurt: { capacity: 1000 rps }, virginia: { capacity: 500 rps }, dublin: { drain: test } }";
    stage.edge.reload(|text| text.replacen("regions: { frankfurt: {}, virginia: {} }", regions, 1)).await;
    stage
}

fn scrape(edge: &Edge) -> String {
    let (status, page) = edge.ask("/metrics").expect("the admin socket answers");
    assert_eq!(status, 200);
    page
}

/// The page in the older text format, which promtool reads: there a counter's family has the suffix of its samples.
fn classic(page: &str) -> String {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let suffixed: Vec<(&str, &str)> = types
        .filter_map(|(name, kind)| match kind {
            "counter" => Some((name, "_total")),
            "info" => Some((name, "_info")),
            _ => None,
        })
        .collect();
    let mut text = String::new();
    for line in page.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        let (hash, what, name, rest) = (words.next(), words.next(), words.next(), words.next());
        let found = suffixed.iter().find(|(known, _)| hash == Some("#") && name == Some(known));
        match (found, what, rest) {
            (Some((name, suffix)), Some(what), Some(rest)) => {
                let rest = if rest == "info" { "gauge" } else { rest };
                text.push_str(&format!("# {what} {name}{suffix} {rest}\n"));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_under_load_satisfies_prometheus() {
    let stage = stage().await;
    let load = Load::start(&stage.edge, 100);
    let page = eventually("a page with requests on it", async || {
        Some(scrape(&stage.edge)).filter(|page| page.contains("nearside_first_byte_seconds_bucket"))
    })
    .await;
    let judge = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Some(mut judge) = tool::had("promtool", judge) else { return };
    judge.stdin.take().unwrap().write_all(classic(&page).as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&judged.stdout).into_owned() + &String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success() && said.trim().is_empty(), "{said}");
    assert!(load.end().await.iter().all(|outcome| outcome.is_fine()));
}

/// Every word of `text` that begins as our metrics do.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|word| word.starts_with("nearside_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_that_is_named_anywhere_is_in_the_table() {
    let table: BTreeSet<String> = nearside_telemetry::family::ALL
        .iter()
        .flat_map(nearside_telemetry::family::Family::samples)
        .collect();
    let whole: BTreeSet<String> =
        nearside_telemetry::family::ALL.iter().map(|family| format!("nearside_{}", family.name)).collect();
    // What the adapter makes of them, and crates.
    let others = ["nearside_region_offered", "nearside_tests", "nearside_sample"];
    let is_package = |name: &str| name.as_bytes().get(9).is_some_and(u8::is_ascii_digit);
    let mut files = Vec::new();
    for folder in ["deploy", "docs"] {
        files_of(&top().join(folder), &mut files);
    }
    let mut count = 0;
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for name in named(&text) {
            count += 1;
            let stands = table.contains(&name)
                || whole.contains(&name)
                || others.contains(&name.as_str())
                || is_package(&name);
            assert!(stands, "{name} in {} is no metric of ours", file.display());
        }
    }
    assert!(count > 60, "{count} names were found");
}

fn files_of(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_dashboard_the_alerts_and_the_autoscalers_is_in_a_real_scrape() {
    let mut stage = stage().await;
    let edge = &mut stage.edge;
    let client = client::reqwest(edge, true);
    assert!(client.get(url(edge, "/")).send().await.unwrap().status().is_success());
    let found = eventually("a scrape with everything in it", async || {
        let page = scrape(edge);
        let found = named(&page);
        found.contains("nearside_first_byte_seconds_bucket").then_some(found)
    })
    .await;
    let mut files = Vec::new();
    for folder in ["deploy/prometheus", "deploy/grafana", "deploy/autoscale"] {
        files_of(&top().join(folder), &mut files);
    }
    assert_eq!(files.len(), 7, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // In JSON a line's end is written as `\n`, which would stick to the name after it.
        for name in named(&text.replace("\\n", " ")) {
            let is_adapters = name == "nearside_region_offered";
            assert!(is_adapters || found.contains(&name), "{name} in {} is not in a scrape", file.display());
        }
    }
    assert!(found.contains("nearside_certificate_expiry_timestamp_seconds"), "{NAMES:?}");
}

#[test]
fn the_alerts_do_what_their_tests_say() {
    let folder = top().join("deploy/prometheus");
    for arguments in [
        ["check", "rules", "nearside.rules.yml"].as_slice(),
        &["test", "rules", "nearside.test.yml"],
        &["check", "config", "--syntax-only", "scrape.yml"],
    ] {
        let Some(judged) = tool::output(Command::new("promtool").args(arguments).current_dir(&folder)) else {
            return;
        };
        let said =
            String::from_utf8_lossy(&judged.stdout).into_owned() + &String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "promtool {}: {said}", arguments.join(" "));
    }
    let rules = fs::read_to_string(folder.join("nearside.rules.yml")).unwrap();
    let tests = fs::read_to_string(folder.join("nearside.test.yml")).unwrap();
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}")), "{alert} has no test");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let text = fs::read_to_string(top().join("deploy/grafana/nearside.json")).unwrap();
    let board: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            assert!(expr.contains("$instance"), "{expr} is for all PoPs, whichever is chosen");
            // Grafana fills its variables in before Prometheus sees them.
            let filled = expr.replace("$__rate_interval", "1m").replace("$instance", ".*");
            let rules = format!(
                "groups: [{{ name: a, rules: [{{ record: a, expr: {} }}] }}]\n",
                serde_json::to_string(&filled).unwrap()
            );
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), rules).unwrap();
            let Some(judged) =
                tool::output(Command::new("promtool").args(["check", "rules"]).arg(file.path()))
            else {
                return;
            };
            assert!(judged.status.success(), "{expr}: {}", String::from_utf8_lossy(&judged.stderr));
        }
    }
    assert!(panels.len() >= 15);
}
