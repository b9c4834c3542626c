//! Traces: what a collector gets of requests, which of them it gets, and what becomes of both when it does not do well.

mod collector;

use collector::{Collector, Mood, Seen};
use nearside_tests::client::{self, url};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Process, QUICK, Stage, eventually, tool};
use reqwest::Response;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A caller's word, with these flags.
fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// Part of a file: spans go there.
fn to(collector: SocketAddr, more: &str) -> String {
    format!("observe: {{ tracing: {{ endpoint: \"http://{collector}\", {more} }} }}\n")
}

async fn stage(more: &str) -> Stage {
    Stage::by(Setting::new(), &[nearside_tests::program().into()], more).await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

/// What of the traces that were begun was counted under `fate`.
fn counted(edge: &Edge, fate: &str) -> u64 {
    let page = edge.ask("/metrics").map(|(_, page)| page).unwrap_or_default();
    let name = format!("nearside_spans_total{{fate=\"{fate}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

async fn counts(edge: &Edge, fate: &str, least: u64) {
    eventually(&format!("{least} spans: {fate}"), async || (counted(edge, fate) >= least).then_some(()))
        .await;
}

/// One request fails over; `collector` is told of it, whatever stands between.
async fn fails_over(endpoint: SocketAddr, collector: &Collector) {
    let setting = Setting::new();
    let first = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let second = Process::start(setting.folder(), "iad-a", "virginia").await;
    let text = format!(
        "{QUICK}pools:\n  web:\n    retry: {{ max: 1, when: [connect, reset, 500] }}\n    backends:\n\
         \x20     - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}\n\
         \x20     - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n{}",
        first.address,
        second.address,
        to(endpoint, "sample: 0%, service: shop")
    );
    let edge = setting.run(&text).await;
    first.control("fault/hidden");
    let answer = client::ask(&edge, "/headers?secret=1", &[("traceparent", &parent("00"))]).await;
    assert_eq!(answer.status(), 200);
    let (reference, generation) =
        (header(&answer, "x-nearside-ref").to_owned(), header(&answer, "x-nearside-gen").to_owned());
    let pairs: Vec<(String, String)> = answer.json().await.unwrap();
    let told = &pairs.iter().find(|(name, _)| name == "traceparent").unwrap().1;
    let mut spans = collector.has(3).await;
    spans.sort_by_key(|seen| (seen.span.kind, seen.span.start_time_unix_nano));
    let [edge_span, one, two] = spans.as_slice() else { panic!("{spans:?}") };

    assert_eq!((edge_span.trace().as_str(), edge_span.parent().as_str()), (TRACE, CALLER));
    assert_eq!((edge_span.span.name.as_str(), edge_span.span.kind), ("GET /*", 2));
    check(
        edge_span,
        &[
            ("http.request.method", "GET"),
            ("url.scheme", "https"),
            ("url.path", "/headers"),
            ("url.query", "-"),
            ("http.route", "/*"),
            ("http.response.status_code", "200"),
            ("error.type", "-"),
            ("server.address", "www.example.com"),
            ("server.port", &edge.https.port().to_string()),
            ("client.address", "127.0.0.1"),
            ("network.protocol.version", "2"),
            ("nearside.ref", &reference),
            ("nearside.generation", &generation),
            ("nearside.route", "www.example.com/*"),
            ("nearside.pool", "web"),
            ("nearside.region", "virginia"),
            ("nearside.place", "ZZ"),
            ("nearside.tries", "2"),
        ],
    );
    assert_eq!(edge_span.span.status.as_ref().map_or(0, |status| status.code), 0);
    assert_eq!(edge_span.resource["service.name"], "shop");
    assert_eq!(edge_span.resource["service.instance.id"], "test1");
    let [first_port, second_port] = [&first, &second].map(|backend| backend.address.port().to_string());
    check(
        one,
        &[
            ("http.request.method", "GET"),
            ("server.address", "127.0.0.1"),
            ("server.port", &first_port),
            ("url.full", &format!("http://127.0.0.1:{first_port}/headers")),
            ("http.response.status_code", "500"),
            ("http.request.resend_count", "-"),
            ("error.type", "failed.reset"),
            ("nearside.outcome", "failed.reset"),
            ("nearside.backend", "fra-a"),
            ("nearside.region", "frankfurt"),
            ("nearside.tier", "1"),
            ("nearside.reason", "won.priority"),
        ],
    );
    assert_eq!(one.span.status.as_ref().unwrap().code, 2);
    check(
        two,
        &[
            ("server.port", &second_port),
            ("http.response.status_code", "200"),
            ("http.request.resend_count", "1"),
            ("error.type", "-"),
            ("nearside.outcome", "ok"),
            ("nearside.backend", "iad-a"),
            ("nearside.region", "virginia"),
            ("nearside.tier", "2"),
            ("nearside.reason", edge_span.get("nearside.reason")),
        ],
    );
    assert!(two.get("nearside.reason").starts_with("won."), "{two:?}");
    for attempt in [one, two] {
        assert_eq!((attempt.span.kind, attempt.trace().as_str()), (3, TRACE));
        assert_eq!(attempt.parent(), edge_span.id());
        assert!(attempt.span.start_time_unix_nano >= edge_span.span.start_time_unix_nano);
        assert!(attempt.span.end_time_unix_nano <= edge_span.span.end_time_unix_nano);
    }
    assert!(one.span.end_time_unix_nano <= two.span.start_time_unix_nano);
    // The backend was told of the span of its own try, and that nobody meant to keep the trace.
    assert_eq!(*told, format!("00-{TRACE}-{}-00", two.id()));
    let records = eventually("its line", async || Some(edge.records()).filter(|it| !it.is_empty())).await;
    assert_eq!((&records[0]["trace_id"], &records[0]["ref"]), (&TRACE.into(), &reference.into()));
}

fn check(seen: &Seen, expected: &[(&str, &str)]) {
    let found: Vec<(&str, &str)> = expected.iter().map(|(name, _)| (*name, seen.get(name))).collect();
    assert_eq!(found, expected, "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_one_span_of_the_edge_and_one_of_each_try() {
    let collector = Collector::start().await;
    fails_over(collector.address, &collector).await;
}

/// A program that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_others_have_written_reads_the_same() {
    let Some(rotel) = tool::fetched("rotel==0.0.1a15") else { return };
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let [http, grpc] =
        [nearside_tests::port(), nearside_tests::port()].map(|port| format!("127.0.0.1:{port}"));
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut command = rotel.file("rotel/rotel-agent");
    command.arg("start").args(["--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc]);
    command.arg("--pid-file").arg(folder.path().join("pid"));
    command.args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
    command.args(["--otlp-exporter-endpoint", &format!("http://{}", collector.address)]);
    let spawned = tool::spawn(command.stdout(log.try_clone().unwrap()).stderr(log));
    let Some(_agent) = spawned.map(Ends) else { return };
    let listens = async || tokio::net::TcpStream::connect(&http).await.ok();
    eventually("the collector", listens).await;
    fails_over(http.parse().unwrap(), &collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_followed_where_they_are_trusted_and_what_went_wrong_is_always_told() {
    let collector = Collector::start().await;
    let stage = stage(&to(collector.address, "sample: 0%, trusted: [127.0.0.1]")).await;
    let edge = &stage.edge;
    let ask = async |path: &str, flags: Option<&str>| {
        let fields: Vec<(&str, String)> =
            flags.into_iter().map(|flags| ("traceparent", parent(flags))).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        header(&client::ask(edge, path, &fields).await, "x-nearside-ref").to_owned()
    };
    let quiet = [ask("/", None).await, ask("/", Some("00")).await];
    let chosen = ask("/", Some("01")).await;
    let spans = collector.has_request(&chosen).await;
    assert_eq!(spans.len(), 2, "{quiet:?}: {spans:?}");
    assert!(spans.iter().all(|seen| seen.trace() == TRACE && seen.span.flags & 1 == 1), "{spans:?}");
    edge.reload(|text| text.replacen("trusted: [127.0.0.1]", "trusted: [10.0.0.0/8]", 1)).await;
    let unheard = ask("/", Some("01")).await;
    let failed = ask("/status/503", Some("01")).await;
    let spans = collector.has_request(&failed).await;
    assert!(spans.iter().all(|seen| seen.get("nearside.ref") != unheard), "{spans:?}");
    let span = spans.iter().find(|seen| seen.get("nearside.ref") == failed).unwrap();
    check(span, &[("http.response.status_code", "503"), ("error.type", "503")]);
    assert_eq!((span.span.status.as_ref().unwrap().code, span.span.flags & 1), (2, 0));
    edge.reload(|text| text.replacen("sample: 0%", "sample: 100%", 1)).await;
    let answer = client::ask(edge, "/headers", &[]).await;
    let reference = header(&answer, "x-nearside-ref").to_owned();
    let pairs: Vec<(String, String)> = answer.json().await.unwrap();
    let told = &pairs.iter().find(|(name, _)| name == "traceparent").unwrap().1;
    let spans = collector.has_request(&reference).await;
    let span = spans.iter().find(|seen| seen.get("nearside.ref") == reference).unwrap();
    let attempt = spans.iter().find(|seen| seen.parent() == span.id()).unwrap();
    assert_eq!(*told, format!("00-{}-{}-01", span.trace(), attempt.id()));
    assert!(span.trace().ends_with(&reference) && span.parent().is_empty(), "{span:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_holds_up_no_request_and_what_is_lost_is_counted() {
    let nobody: SocketAddr = ([127, 0, 0, 1], nearside_tests::port()).into();
    let stage = stage(&to(nobody, "sample: 100%, queue: 5, timeout: 500ms")).await;
    let edge = &stage.edge;
    let client = client::reqwest(edge, true);
    let load = async |count: usize| {
        for _ in 0..count {
            assert_eq!(client.get(url(edge, "/")).send().await.unwrap().status(), 200);
        }
    };
    load(40).await;
    // Of each request two spans; no more than five requests wait, and those under way.
    counts(edge, "queue_full", 2 * (40 - 2 * 5)).await;
    assert_eq!(counted(edge, "sent"), 0);
    let silent = Collector::start().await;
    silent.is(&[Mood::Silent; 100]);
    edge.reload(|text| text.replacen(&nobody.to_string(), &silent.address.to_string(), 1)).await;
    let lost = counted(edge, "queue_full");
    load(40).await;
    counts(edge, "queue_full", lost + 2 * (40 - 2 * 5)).await;
    // Another place is told what waits, and what comes.
    let well = Collector::start().await;
    edge.reload(|text| text.replacen(&silent.address.to_string(), &well.address.to_string(), 1)).await;
    well.has(10).await;
    let answer = client::ask(edge, "/", &[]).await;
    well.has_request(header(&answer, "x-nearside-ref")).await;
    assert!(counted(edge, "sent") >= 10);
    assert!(edge.log().contains("the collector takes no spans; they wait"), "{}", edge.log());
    assert!(edge.log().contains("the collector takes spans again"), "{}", edge.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_taken_later_is_sent_again_and_what_never_can_is_not() {
    let collector = Collector::start().await;
    collector.is(&[Mood::Not(503, "retry-after: 0\r\n"), Mood::Not(429, "retry-after: 0\r\n"), Mood::Well]);
    let stage = stage(&to(collector.address, "sample: 100%")).await;
    let edge = &stage.edge;
    client::ask(edge, "/", &[]).await;
    assert_eq!((collector.has(2).await.len(), collector.heads().len()), (2, 3));
    collector.is(&[Mood::Not(400, "")]);
    client::ask(edge, "/", &[]).await;
    counts(edge, "refused", 2).await;
    collector.is(&[Mood::Partly(1)]);
    client::ask(edge, "/", &[]).await;
    counts(edge, "refused", 3).await;
    assert_eq!((counted(edge, "sent"), collector.heads().len()), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_process_sends_what_waits() {
    let collector = Collector::start().await;
    let mut stage = stage(&to(collector.address, "sample: 100%")).await;
    client::ask(&stage.edge, "/", &[]).await;
    stage.edge.signal("TERM");
    assert!(stage.edge.ended().await.success());
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_reached_by_tls_with_the_fields_of_a_file() {
    let setting = Setting::new();
    let collector = Collector::secured(&setting.authority).await;
    let (folder, ca) = (setting.folder().to_owned(), setting.authority.file());
    fs::write(folder.join("fields"), "authorization: Bearer abc\n").unwrap();
    fs::set_permissions(folder.join("fields"), fs::Permissions::from_mode(0o644)).unwrap();
    let observe = format!(
        "observe: {{ tracing: {{ endpoint: \"https://localhost:{}/otlp/v1/traces\", sample: 100%, ca: {:?}, headers_file: fields }} }}\n",
        collector.address.port(),
        ca.file_name().unwrap().to_str().unwrap(),
    );
    let stage = Stage::by(setting, &[nearside_tests::program().into()], &observe).await;
    client::ask(&stage.edge, "/", &[]).await;
    collector.has(2).await;
    let head = collector.heads().remove(0);
    assert!(head.starts_with("post /otlp/v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer abc\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let check = || {
        let mut check = Command::new(nearside_tests::program());
        let checked = check.arg("check").current_dir(&folder).output().unwrap();
        String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned()
    };
    let said = check();
    assert!(said.contains("warning") && said.contains("holds fields that others can read"), "{said}");
    fs::write(folder.join("fields"), "what is this\n").unwrap();
    let said = check();
    assert!(said.contains("line 1 of") && said.contains("observe.tracing.headers_file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_has_traces_as_examples_of_its_buckets() {
    let collector = Collector::start().await;
    let stage = stage(&to(collector.address, "sample: 100%")).await;
    client::ask(&stage.edge, "/", &[]).await;
    let spans = collector.has(2).await;
    let (_, page) = stage.edge.ask("/metrics").unwrap();
    let examples: Vec<&str> = page
        .lines()
        .filter_map(|line| Some(line.split_once(" # {trace_id=\"")?.1.split_once('"')?.0))
        .collect();
    assert!(!examples.is_empty(), "{page}");
    let known: Vec<String> = spans.iter().filter(|seen| seen.is_edge()).map(Seen::trace).collect();
    assert!(examples.iter().any(|trace| known.iter().any(|known| known == trace)), "{examples:?} {known:?}");
    let Some(parser) = tool::fetched("prometheus-client==0.22.1") else { return };
    let script = "import sys\n\
         from prometheus_client.openmetrics.parser import text_string_to_metric_families as families\n\
         for family in families(sys.stdin.read()):\n\
         \x20   for sample in family.samples:\n\
         \x20       if sample.exemplar:\n\
         \x20           print(sample.name, sample.exemplar.labels['trace_id'], sample.exemplar.value <= float(sample.labels['le']))\n";
    let mut command = parser.python();
    let spawned = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut judge = spawned.unwrap();
    judge.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    assert!(judged.status.success());
    let read = String::from_utf8(judged.stdout).unwrap();
    let expected: Vec<String> = examples
        .iter()
        .map(|trace| format!("nearside_request_duration_seconds_bucket {trace} True"))
        .collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}
