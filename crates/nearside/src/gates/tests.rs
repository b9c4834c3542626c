//! What the gates say of files, clocks and certificates.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// 2026-06-01T12:00:00Z.
const NOW: i64 = 1_780_315_200;

const FILE: &str = "\
version: 1
fleet: {}
regions:
  a: {}
pools:
  web:
    backends:
      - { url: \"http://127.0.0.1:9\", region: a }
routes:
  - { host: www.example.com, pool: web }
listeners:
  - { bind: \"127.0.0.1:8443\" }
";

struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn pass(&self, changes: &[(&str, &str)]) -> Result<Passed, Report> {
        let text = changes.iter().fold(FILE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from:?} is not in the file");
            text.replace(from, to)
        });
        let (generation, source, warnings) = nearside_config::load_at(&text, self.folder.path()).unwrap();
        let clock = Clock::new(|| NOW.unsigned_abs());
        let state = self.folder.path().join("state");
        let around = Around { state: &state, clock: &clock, now: NOW, previous: None, tables: None };
        pass(Loaded { generation, source, warnings }, &around)
    }

    /// The gates' findings, one a line; those of `config` are left out.
    fn told(&self, changes: &[(&str, &str)]) -> String {
        let report = self.pass(changes).map_or_else(|report| report, |passed| passed.warnings);
        let own = report.problems().iter().filter(|problem| problem.rule.starts_with("gate."));
        own.map(|problem| {
            let message = problem.message.replace(&format!("{}/", self.folder.path().display()), "");
            format!("{}:{} {} {}: {message}\n", problem.line, problem.column, problem.severity, problem.path)
        })
        .collect()
    }
}

#[test]
fn a_file_without_faults_passes_in_silence() {
    assert_eq!(Scene::new().told(&[]), "");
}

#[test]
fn a_mark_past_its_until_is_a_warning() {
    let marked = |until: &str| {
        let region = format!("a: {{ drain: {{ reason: rollout, until: {until} }} }}");
        Scene::new().told(&[("a: {}", &region)])
    };
    let overdue = |until: &str| {
        format!("4:8 warning regions.a.drain: the drain was to end by {until}, and is still in force\n")
    };
    assert_eq!(marked("\"2026-06-01T11:59:59Z\""), overdue("2026-06-01T11:59:59Z"));
    assert_eq!(marked("\"2026-06-01T12:00:01Z\""), "");
    assert_eq!(marked("\"2026-05-31\""), overdue("2026-05-31"));
    assert_eq!(marked("\"2026-06-01\""), "", "a date ends with its day");
    let backend = [("region: a }", "region: a, drain: { reason: disk, until: \"2026-05-01\" } }")];
    let told = Scene::new().told(&backend);
    assert!(told.starts_with("8:49 warning pools.web.backends[0].drain: the drain was to end"), "{told}");
}

#[test]
fn what_a_route_declares_itself_is_told_there() {
    let inline = "host: www.example.com, backends: [{ url: \"http://127.0.0.1:8\", region: a, drain: { reason: disk, until: \"2026-05-01\" } }]";
    let told = Scene::new().told(&[("host: www.example.com, pool: web", inline)]);
    assert!(told.starts_with("10:81 warning routes[0].backends[0].drain: the drain was to end"), "{told}");
    let with_methods = format!("{inline} }}\n  - {{ host: b.example.com, methods: [GET], pool: web");
    let told = Scene::new().told(&[("host: www.example.com, pool: web", &with_methods)]);
    assert!(told.starts_with("10:81 warning routes[0].backends[0].drain: the drain was to end"), "{told}");
}

#[test]
fn a_key_of_a_home_is_told_at_its_own_route() {
    let scene = Scene::new();
    scene.write("home.key", &"ab".repeat(32), 0o600);
    let home = |file: &str| {
        format!("home: {{ from: [cookie: home], map: {{ a: a }}, verify: {{ hmac_key_file: {file} }} }}")
    };
    // The first route has the name that the second one's ends with, and the third is the one that names methods.
    let routes = format!(
        "routes:\n  - {{ host: a.example.com, pool: web, {} }}\n  - {{ host: b.example.com, pool: web, {} }}\n  \
         - {{ host: c.example.com, methods: [GET], pool: web }}\n",
        home("home.key"),
        home("eu/home.key")
    );
    assert_eq!(
        scene.told(&[("routes:\n", &routes)]),
        "11:94 error routes[1].home.verify.hmac_key_file: eu/home.key does not exist\n"
    );
}

#[test]
fn a_slow_failover_is_a_warning_an_error_or_nothing_as_the_file_says() {
    let slow = |then: &str| {
        let checks = format!("checks: {{ failover_bound: {{ above: 30s, then: {then} }} }}\nlisteners:");
        let scene = Scene::new();
        let changes =
            [("    backends:", "    probe: { interval: 30s }\n    backends:"), ("listeners:", &checks)];
        (scene.told(&changes), scene.pass(&changes).is_ok())
    };
    let said = |severity: &str| {
        format!(
            "7:5 {severity} pools.web.probe: a silent backend of web is found out after up to 39 s, and 30 s is the most\n"
        )
    };
    assert_eq!(slow("warn"), (said("warning"), true));
    assert_eq!(slow("error"), (said("error"), false));
    assert_eq!(slow("off"), (String::new(), true));
}

#[test]
fn a_region_whose_loss_overloads_another_is_a_warning_an_error_or_nothing_as_the_file_says() {
    let scene = Scene::new();
    let lossy = |capacity: u32, checks: &str| {
        let regions = format!("a: {{ capacity: 100 rps }}\n  b: {{ capacity: {capacity} rps }}");
        let second = "region: a }\n      - { url: \"http://127.0.0.1:10\", region: b, priority: 2 }";
        let listeners = format!("{checks}listeners:");
        let changes = [("a: {}", &*regions), ("region: a }", second), ("listeners:", &listeners)];
        (scene.told(&changes), scene.pass(&changes).is_ok())
    };
    let said = |severity: &str| {
        format!(
            "4:3 {severity} regions.a: losing a overloads others while every region carries its capacity: \
             b would get 100 requests a second, and is declared for 60\n"
        )
    };
    assert_eq!(lossy(60, ""), (said("warning"), true));
    assert_eq!(lossy(60, "checks: { region_loss_overload: error }\n"), (said("error"), false));
    assert_eq!(lossy(60, "checks: { region_loss_overload: off }\n"), (String::new(), true));
    assert_eq!(lossy(100, ""), (String::new(), true));
}

#[test]
fn everything_is_told_at_once() {
    let changes = [
        ("fleet: {}", "fleet: { key_file: none.key }"),
        ("a: {}", "a: { drain: { reason: rollout, until: \"2026-05-01\" } }"),
        ("127.0.0.1:8443\"", "127.0.0.1:8443\", tls: true"),
        ("listeners:", "tls: { certificates: [none.pem, \"certs/*.pem\"] }\nlisteners:"),
        ("http://", "https://"),
        ("    backends:", "    tls: { ca: ca.pem }\n    backends:"),
    ];
    assert_eq!(
        Scene::new().told(&changes),
        "2:10 error fleet.key_file: none.key does not exist\n\
         4:8 warning regions.a.drain: the drain was to end by 2026-05-01, and is still in force\n\
         7:12 error pools.web.tls.ca: ca.pem does not exist\n\
         12:23 error tls.certificates[0]: none.pem does not exist\n\
         12:33 error tls.certificates[1]: certs/*.pem matches no file\n"
    );
}

#[test]
fn a_key_that_others_can_read_is_a_warning_and_passes() {
    let scene = Scene::new();
    let change = [("fleet: {}", "fleet: { key_file: fleet.key }")];
    scene.write("fleet.key", &"ab".repeat(32), 0o644);
    assert_eq!(
        scene.told(&change),
        "2:10 warning fleet.key_file: fleet.key holds a key that others can read\n"
    );
    assert!(scene.pass(&change).is_ok());
    scene.write("fleet.key", &"ab".repeat(32), 0o600);
    assert_eq!(scene.told(&change), "");
}

#[test]
fn what_needs_an_upgrade_is_refused_with_its_line() {
    let scene = Scene::new();
    let (before, same) = (scene.pass(&[]).unwrap(), scene.pass(&[("www", "web")]).unwrap());
    assert!(fixed(&before.generation, &same.generation, &same.source).is_none());
    let moved =
        scene.pass(&[("8443", "8444"), ("fleet: {}", "observe: { admin: \"127.0.0.1:9901\" }")]).unwrap();
    let report = fixed(&before.generation, &moved.generation, &moved.source).unwrap().to_string();
    assert!(
        report
            .contains("routes.yaml:11:1: error: listeners have changed (listeners); run `nearside upgrade`"),
        "{report}"
    );
    assert!(
        report.contains("routes.yaml:2:12: error: the admin address has changed (observe.admin)"),
        "{report}"
    );
}

#[test]
fn a_port_in_use_is_told_at_its_line_with_what_to_do() {
    let scene = Scene::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let passed = scene.pass(&[("127.0.0.1:8443", &address.to_string())]).unwrap();
    let error = nearside_proxy::service::bind_all(&passed.generation.listeners).unwrap_err();
    let told = unbound(&passed.source, 0, &error).to_string();
    assert!(told.starts_with(&format!("routes.yaml:12:7: error: cannot listen on {address}: ")), "{told}");
    assert!(told.contains("ss -ltnp"), "{told}");
}

#[test]
fn a_token_that_cannot_be_used_or_that_others_can_read_is_told() {
    let scene = Scene::new();
    let observe = ("fleet: {}", "observe: { admin: \"127.0.0.1:9901\", admin_token: admin.token }");
    let told = scene.told(&[observe]);
    assert!(told.contains("error observe.admin_token: admin.token does not exist"), "{told}");
    scene.write("admin.token", "secret\n", 0o600);
    let told = scene.told(&[observe]);
    assert!(told.contains("error observe.admin_token: admin.token line 1: "), "{told}");
    assert!(!told.contains("secret"), "{told}");
    scene.write("admin.token", &"ab".repeat(32), 0o644);
    let told = scene.told(&[observe]);
    assert!(
        told.contains("warning observe.admin_token: admin.token holds a key that others can read"),
        "{told}"
    );
    scene.write("admin.token", &"ab".repeat(32), 0o600);
    assert_eq!(scene.told(&[observe]), "");
    assert!(scene.pass(&[observe]).unwrap().pass.is_some_and(|pass| pass.admits(&"ab".repeat(32))));
}
