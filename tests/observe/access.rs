//! The access log on real files: rotated under load, into a pipe that nobody reads, in each of its formats.

use nearside_tests::client::{self, url};
use nearside_tests::edge::Setting;
use nearside_tests::load::Load;
use nearside_tests::{Edge, Stage, eventually};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use tokio::task::block_in_place;

/// A stage whose access log is as `log` says.
async fn stage(setting: Setting, log: &str) -> Stage {
    let more = format!("observe: {{ access_log: {{ {log} }} }}\n");
    Stage::by(setting, &[nearside_tests::program().into()], &more).await
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// Waits until `enough` lines are there.
async fn lines(edge: &Edge, name: &str, enough: usize) -> Vec<String> {
    let look = || {
        let lines: Vec<String> = read(edge.folder(), name).lines().map(str::to_owned).collect();
        (lines.len() >= enough).then_some(lines)
    };
    eventually(&format!("{enough} lines in {name}"), async || look()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_rotated_under_load_loses_no_line() {
    let stage = stage(Setting::new(), "path: access.log").await;
    let edge = &stage.edge;
    let load = Load::start(edge, 200);
    let mut files = vec!["access.log".to_owned()];
    for number in 1..=3 {
        lines(edge, "access.log", 40).await;
        let old = format!("access.log.{number}");
        fs::rename(edge.folder().join("access.log"), edge.folder().join(&old)).unwrap();
        edge.signal("USR1");
        eventually("a fresh file", async || edge.folder().join("access.log").exists().then_some(())).await;
        files.push(old);
    }
    let outcomes = load.end().await;
    let sent = outcomes.iter().filter(|outcome| outcome.is_fine()).count();
    assert_eq!(sent, outcomes.len());
    let whole = || {
        let text: String = files.iter().map(|name| read(edge.folder(), name)).collect();
        (text.lines().count() >= sent).then_some(text)
    };
    let text = eventually("every line", async || whole()).await;
    let mut refs: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
        refs.push(line["ref"].as_str().unwrap().to_owned());
    }
    refs.sort_unstable();
    refs.dedup();
    assert_eq!(refs.len(), sent, "a line for each request, and each once");
    assert_eq!(edge.said(), "", "nothing goes to standard output");

    edge.reload(|text| text.replace("path: access.log", "path: other.log")).await;
    assert!(client::ask(edge, "/", &[]).await.status().is_success());
    lines(edge, "other.log", 1).await;
    let before = edge.generation();
    edge.rewrite(|text| text.replace("path: other.log", "path: nowhere/access.log"));
    eventually("a refusal", async || (edge.status()["last_reload"]["outcome"] == "refused").then_some(()))
        .await;
    assert_eq!(edge.generation(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_nobody_reads_holds_no_request_up_and_what_is_lost_is_counted() {
    let setting = Setting::new();
    let pipe = setting.folder().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let held = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let stage = stage(setting, "path: pipe").await;
    let edge = &stage.edge;
    let client = client::reqwest(edge, true);
    let count: usize = 1000;
    for _ in 0..count {
        assert!(client.get(url(edge, "/")).send().await.unwrap().status().is_success());
    }
    let dropped = || {
        let (_, page) = edge.ask("/metrics")?;
        let line = page.lines().find(|line| line.starts_with("nearside_log_lines_dropped_total "))?;
        line.rsplit(' ').next()?.parse::<usize>().ok()
    };
    eventually("lines that are lost", async || dropped().filter(|dropped| *dropped > 0)).await;
    let mut reader = fs::File::open(&pipe).unwrap();
    // The edge is told to end, so that the pipe has an end too.
    edge.signal("TERM");
    drop(held);
    let text = block_in_place(|| {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let whole = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    assert!(whole > 0 && whole < count, "{whole} whole lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_is_what_its_readers_expect() {
    let stage =
        stage(Setting::new(), "path: access.log, format: combined, redact: [cookie, authorization]").await;
    let edge = &stage.edge;
    let headers = [
        ("user-agent", "probe \"quoted\" \\ \u{e9}"),
        ("referer", "https://a.example/x?token=1"),
        ("cookie", "session=secret"),
        ("authorization", "Bearer secret"),
    ];
    assert!(client::ask(edge, "/a/b?q=1&r=2", &headers).await.status().is_success());
    let combined = lines(edge, "access.log", 1).await;
    let [client, time, request, status, bytes, referrer, agent] = parsed(&combined[0]);
    assert_eq!((client.as_str(), status.as_str()), ("127.0.0.1", "200"));
    assert!(time.ends_with(" +0000") && time.len() == 26, "{time}");
    assert!(bytes.parse::<u64>().unwrap() > 0);
    assert_eq!(request, "GET /a/b?q=1&r=2 HTTP/2.0");
    assert_eq!(referrer, "https://a.example/x?token=1");
    assert_eq!(agent, "probe \\\"quoted\\\" \\\\ \\xc3\\xa9");
    assert!(!combined[0].contains("secret"));

    edge.reload(|text| {
        text.replace(
            "path: access.log, format: combined, redact: [cookie, authorization]",
            "path: ecs.log, format: ecs",
        )
    })
    .await;
    assert!(client::ask(edge, "/a/b?q=1", &headers).await.status().is_success());
    let line = lines(edge, "ecs.log", 1).await.remove(0);
    let ecs: Value = serde_json::from_str(&line).unwrap();
    for (name, value) in ecs.as_object().unwrap() {
        let kind = ECS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        let fits = match kind {
            Some("keyword" | "date" | "ip" | "wildcard") => value.is_string(),
            Some("long") => value.is_u64(),
            Some("list") => value.is_array(),
            Some(_) | None => name.starts_with("nearside."),
        };
        assert!(fits, "{name}: {value}");
    }
    assert_eq!((&ecs["url.path"], ecs.get("url.query")), (&"/a/b".into(), None), "{ecs}");
    assert_eq!(ecs["http.request.referrer"], "https://a.example/x", "its query is left out");
    assert_eq!((&ecs["http.response.status_code"], &ecs["event.outcome"]), (&200.into(), &"success".into()));
    assert!(!line.contains("secret"), "{line}");

    edge.reload(|text| text.replace("path: ecs.log, format: ecs", "path: json.log, redact: []")).await;
    assert!(client::ask(edge, "/a/b?q=1", &headers).await.status().is_success());
    let json: Value = serde_json::from_str(&lines(edge, "json.log", 1).await[0]).unwrap();
    assert_eq!((&json["query"], &json["cookie"]), (&"q=1".into(), &"session=secret".into()), "{json}");
}

/// Fields of the Elastic Common Schema 8.17 and their types, as its reference has them.
const ECS: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("client.ip", "ip"),
    ("ecs.version", "keyword"),
    ("event.category", "list"),
    ("event.dataset", "keyword"),
    ("event.duration", "long"),
    ("event.kind", "keyword"),
    ("event.outcome", "keyword"),
    ("event.type", "list"),
    ("http.request.body.bytes", "long"),
    ("http.request.id", "keyword"),
    ("http.request.method", "keyword"),
    ("http.request.referrer", "keyword"),
    ("http.response.body.bytes", "long"),
    ("http.response.status_code", "long"),
    ("http.version", "keyword"),
    ("service.type", "keyword"),
    ("source.ip", "ip"),
    ("tls.version", "keyword"),
    ("tls.version_protocol", "keyword"),
    ("trace.id", "keyword"),
    ("url.domain", "keyword"),
    ("url.path", "wildcard"),
    ("url.query", "keyword"),
    ("user_agent.original", "keyword"),
];

/// A line of the combined format, taken apart by Python with the pattern of Apache's documentation.
fn parsed(line: &str) -> [String; 7] {
    const PROGRAM: &str = r#"
import json, re, sys, time
pattern = r'^(\S+) \S+ \S+ \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$'
parts = re.match(pattern, sys.argv[1]).groups()
time.strptime(parts[1], "%d/%b/%Y:%H:%M:%S %z")
print(json.dumps(parts))
"#;
    let output = Command::new("python3").args(["-c", PROGRAM, line]).output().expect("python3 is there");
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
