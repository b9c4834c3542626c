//! A report names everything that is wrong at once, each at its place, and nothing that follows from it.

use nearside_config::{Finding, Report, Rule, Severity, load, load_at};
use std::path::Path;

/// Each problem as `line:column rule path`.
fn check(text: &str, expected: &[&str]) {
    let report = match load(text) {
        Ok((_, source, warnings)) => Report::new(&source, warnings),
        Err(report) => report,
    };
    let problems = report.problems().iter();
    let found: Vec<String> = problems
        .map(|problem| format!("{}:{} {} {}", problem.line, problem.column, problem.rule, problem.path))
        .collect();
    assert_eq!(found, expected, "{report}");
}

#[test]
fn everything_is_told_at_once() {
    check(
        "version: 3
fleets: {}
regions: { a: { plaice: {} }, b: {} }
pools:
  web:
    backends:
      - { url: nowhere, region: a }
      - { url: \"http://10.0.0.1\", region: c, weight: 5000 }
    timeouts: { connect: 5 }
routes:
  - { host: a.example, pool: wob, path: nope }
  - { host: b.example }
",
        &[
            "1:1 config.no_certificate tls.certificates",
            "1:10 config.version version",
            "2:1 config.unknown_key ",
            "3:17 config.unknown_key regions.a",
            "7:16 config.url pools.web.backends[0].url",
            "8:35 config.undeclared pools.web.backends[1].region",
            "8:54 config.range pools.web.backends[1].weight",
            "9:26 config.type pools.web.timeouts.connect",
            "11:24 config.undeclared routes[0].pool",
            "11:41 config.path routes[0].path",
            "12:5 config.route_target routes[1]",
        ],
    );
}

#[test]
fn what_could_not_be_read_brings_no_further_problem() {
    // Neither a duplicate of the first route, nor a redirect without location, nor a pool that nobody uses.
    check(
        "version: 1
regions: { a: {}, b: { drain: true } }
pools:
  web: { backends: [{ url: \"http://10.0.0.1\", region: a }, { region: b }] }
routes:
  - { host: a.example, answer: { status: 200 } }
  - { host: a.example, path: nope, answer: { status: 308, location: nope } }
  - { pool: web }
listeners: [{ bind: nope, tls: true }, { bind: \"127.0.0.1:8080\", redirect_https: 308 }]
",
        &[
            "2:31 config.type regions.b.drain",
            "4:60 config.missing pools.web.backends[1]",
            "7:30 config.path routes[1].path",
            "7:69 config.location routes[1].answer.location",
            "8:5 config.missing routes[2]",
            "9:21 config.address listeners[0].bind",
        ],
    );
}

#[test]
fn a_key_of_a_later_issue_is_an_unknown_key() {
    let good = include_str!("../../../tests/configs/good/small.yaml");
    for (key, line) in [("acme", "acme: {}\n"), ("record", "observe: { record: { keep: 7d } }\n")] {
        let report = load(&format!("{good}{line}")).unwrap_err();
        let told: Vec<&str> = report.problems().iter().map(|problem| problem.rule).collect();
        assert_eq!(told, ["config.unknown_key"], "{report}");
        assert!(report.problems()[0].message.contains(key), "{report}");
    }
}

#[test]
fn a_bare_no_is_norway() {
    let text = |country: &str| {
        format!(
            "version: 1\nregions: {{ a: {{ place: {{ country: {country} }} }} }}\nroutes: [{{ host: \"*\", answer: {{ status: 200 }} }}]\nlisteners: [{{ bind: \"127.0.0.1:0\" }}]\n"
        )
    };
    for country in ["NO", "\"NO\"", "no"] {
        let (generation, ..) = load(&text(country)).unwrap();
        assert_eq!(generation.regions[0].place.as_ref().unwrap().country.as_str(), "NO");
    }
    check(&text("off"), &["2:35 config.country regions.a.place.country"]);
    check(&text("false"), &["2:35 config.place_boolean regions.a.place.country"]);
}

#[test]
fn others_add_what_they_find_by_the_path_of_the_key() {
    const LATE: &Rule =
        &Rule { id: "gate.late", severity: Severity::Error, about: "The file comes in time." };
    let (_, source, warnings) = load(include_str!("../../../tests/configs/good/small.yaml")).unwrap();
    let mut report = Report::new(&source.named("conf/routes.yaml"), warnings);
    assert!(!report.has_errors());
    report.push("pools.web.backends[1].url", Finding::new(LATE, "too late").hint("be early"));
    report.push("tls.profile", Finding::new(LATE, "nearly").severity(Severity::Warning));
    assert_eq!(
        report.to_string(),
        "conf/routes.yaml:9:11: error: too late (pools.web.backends[1].url); be early
    9 |       - { url: \"https://iad.example.internal\", region: virginia }
      |           ^
conf/routes.yaml:12:1: warning: nearly (tls.profile)
   12 | tls:
      | ^
1 error, 1 warning"
    );
    let json = report.to_json();
    assert_eq!(json["file"], "conf/routes.yaml");
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &1.into()));
    let first = serde_json::json!({ "severity": "error", "line": 9, "column": 11, "path": "pools.web.backends[1].url",
        "rule": "gate.late", "message": "too late", "hint": "be early" });
    assert_eq!(json["problems"][0], first);
}

#[test]
fn paths_of_files_are_relative_to_the_folder_of_the_file() {
    let text = include_str!("../../../tests/configs/good/full.yaml").replace("ca: system", "ca: /etc/ca.pem");
    let (generation, ..) = load_at(&text, Path::new("/etc/nearside")).unwrap();
    assert_eq!(generation.fleet.key_file.as_deref(), Some(Path::new("/etc/nearside/secrets/fleet.key")));
    assert_eq!(generation.pools[0].tls.ca.as_deref(), Some(Path::new("/etc/ca.pem")));
    let printed = format!("{:?}", generation.tls.certificates);
    assert!(printed.contains("/etc/nearside/certs/www.key"), "{printed}");
}

#[test]
fn ten_thousand_problems_are_told_and_no_more() {
    use std::fmt::Write;
    let mut text = "version: 1\nregions: {}\npools:\n".to_owned();
    for index in 0..10_000 {
        writeln!(
            text,
            "  p{index}: {{ backends: [{{ url: \"http://10.0.0.1\", region: a }}], colour: red }}"
        )
        .unwrap();
    }
    text += "routes: [{ host: \"*\", answer: { status: 200 } }]\nlisteners: [{ bind: \"127.0.0.1:0\" }]\n";
    let report = load(&text).unwrap_err();
    assert_eq!(report.count(Severity::Error), 10_000);
    assert!(report.to_string().ends_with("10000 errors, 0 warnings; there may be more"));
}

#[test]
fn an_error_is_told_whatever_warnings_stand_before_it() {
    use std::fmt::Write;
    let mut text = "version: 1\nregions: { a: {} }\nroutes:\n".to_owned();
    for index in 0..6_000 {
        let backends = "backends: [{ url: \"http://10.0.0.1\", region: a }]";
        writeln!(text, "  - {{ host: h{index}.example, path: /x, {backends} }}").unwrap();
    }
    text += "listeners: [{ bind: \"127.0.0.1:80\" }, { bind: \"127.0.0.1:80\" }]\n";
    let report = load(&text).unwrap_err();
    assert_eq!((report.count(Severity::Error), report.count(Severity::Warning)), (1, 10_000));
}

#[test]
fn an_admin_address_that_others_reach_needs_a_token_and_a_certificate() {
    let file = |observe: &str, tls: &str| {
        format!(
            "version: 1
regions: {{ a: {{}}, b: {{}} }}
routes:
  - host: a.example
    backends: [{{ url: \"http://10.0.0.1\", region: a }}, {{ url: \"http://10.0.0.2\", region: b }}]
listeners: [{{ bind: \"127.0.0.1:8080\" }}]
observe: {observe}
{tls}"
        )
    };
    let public = "7:12 config.admin_public observe.admin";
    let token = "{ admin: \"[::]:9901\", admin_token: t }";
    let tls = "tls: { self_signed: true }\n";
    check(&file("{ admin: \"[::]:9901\" }", tls), &[public]);
    check(&file(token, ""), &[public]);
    check(&file(token, tls), &[]);
    check(&file("{ admin: \"[::1]:9901\" }", ""), &[]);
}
