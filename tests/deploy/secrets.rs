//! Secrets: whatever goes wrong and whoever asks, no key stands in a log or on a page, and of what clients entrust to a
//! request nothing is written down.

use nearside_tests::client::{self, HOST};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Process, QUICK, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The key of the fleet, and that of homes.
const FLEET: &str = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7";
const HOME: &str = "d15c105ed15c105ed15c105ed15c105ed15c105ed15c105ed15c105ed15c105e";
/// What a client says that concerns nobody else.
const CLIENTS: [&str; 4] =
    ["cookie-of-a-client", "token-of-a-client", "query-of-a-client", "home-of-a-client"];

/// An edge that says as much as it can, and has all kinds of secrets.
async fn talkative(filter: &str) -> (Edge, Process) {
    let setting = Setting::new();
    let backend = Process::start(setting.folder(), "one", "frankfurt").await;
    for (name, key) in [("fleet.key", FLEET), ("home.key", HOME)] {
        let path = setting.folder().join(name);
        fs::write(&path, key).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let head = QUICK
        .replace("fleet: { name: nearside-test }", "fleet: { name: nearside-test, key_file: fleet.key }");
    let body = format!(
        "{head}pools:\n  web:\n    affinity: {{ by: cookie, cookie: {{ name: pin }} }}\n    backends: [{{ id: one, url: \
         \"http://{}\", region: frankfurt }}]\nroutes:\n  - host: {HOST}\n    pool: web\n    home: {{ from: [{{ cookie: home }}], \
         map: {{ eu: frankfurt }}, verify: {{ hmac_key_file: home.key }} }}\n",
        backend.address
    );
    let words = ["env".into(), format!("NEARSIDE_LOG={filter}").into(), nearside_tests::program().into()];
    (setting.run_by(&words, &body).await, backend)
}

/// All that the edge has said, to whomever.
fn said(edge: &Edge) -> String {
    let mut said = edge.log() + &fs::read_to_string(edge.folder().join("access")).unwrap();
    for path in ["/status", "/metrics", "/readyz", "/explain?host=www.example.com&path=/", "/nowhere"] {
        said += &edge.ask(path).unwrap_or_else(|| panic!("no answer to {path}")).1;
    }
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["check", "routes.yaml"],
        &["check", "--effective", "routes.yaml"],
    ] {
        let mut call = std::process::Command::new(nearside_tests::program());
        if command[0] == "status" {
            call.args(command).args(["--state-dir", "state"]);
        } else {
            call.args(command);
        }
        let output = call.current_dir(edge.folder()).output().unwrap();
        said += &(String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr));
    }
    said
}

/// The text stands nowhere in what was said: not as it is, not as numbers, not as hexadecimal digits.
fn untold(said: &str, secret: &str) {
    let numbers = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let digits: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for form in [secret, &numbers, &digits] {
        if let Some(line) = said.lines().find(|line| line.contains(form)) {
            panic!("told: {}", line.chars().take(300).collect::<String>());
        }
    }
}

/// The lines of a private key that hold it.
fn lines_of(key: &str) -> Vec<String> {
    let lines = key.lines().skip_while(|line| !line.contains("PRIVATE KEY")).skip(1);
    let lines: Vec<String> = lines.take_while(|line| !line.starts_with("---")).map(str::to_owned).collect();
    assert!(!lines.is_empty());
    lines
}

/// Asks with secrets in every place where clients have them, in ways that succeed and that fail.
async fn ask_with_secrets(edge: &Edge) {
    let [cookie, token, query, home] = CLIENTS;
    for h2 in [false, true] {
        let client = client::reqwest(edge, h2);
        for (path, host) in [
            ("/", HOST),
            ("/status/500", HOST),
            ("/a%00b", HOST),
            ("/reset", HOST),
            ("/", "a.shop.example.com"),
        ] {
            let url = client::url(edge, &format!("{path}?{query}")).replace(HOST, host);
            let request =
                client.get(url).header("cookie", format!("pin={cookie}; home={home}; other={cookie}"));
            // Some are answered with an error, which is not the matter here.
            drop(request.header("authorization", format!("Bearer {token}")).send().await);
        }
    }
    eventually("the records", async || (edge.records().len() >= 6).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_in_service() {
    let (edge, _backend) = talkative("info").await;
    let key = fs::read_to_string(edge.folder().join("certs/www.pem")).unwrap();
    ask_with_secrets(&edge).await;
    let said = said(&edge);
    lines_of(&key).iter().for_each(|line| untold(&said, line));
    [FLEET, HOME].iter().chain(&CLIENTS).for_each(|secret| untold(&said, secret));
    assert!(said.contains(HOST), "something was said");
}

/// Debugging shows more of what nearside does, and no more of what it keeps.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_in_debugging() {
    let (edge, _backend) = talkative("trace").await;
    let key = fs::read_to_string(edge.folder().join("certs/www.pem")).unwrap();
    ask_with_secrets(&edge).await;
    let said = said(&edge);
    lines_of(&key).iter().for_each(|line| untold(&said, line));
    [FLEET, HOME].iter().chain(&CLIENTS).for_each(|secret| untold(&said, secret));
}

/// Files of keys that are broken in the ways in which such files break: each is refused, and the report tells no key.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_told_by_the_report_of_a_broken_file() {
    let (edge, _backend) = talkative("info").await;
    let file = edge.folder().join("certs/www.pem");
    let whole = fs::read_to_string(&file).unwrap();
    let secrets = lines_of(&whole);
    let key_begins = whole.find("-----BEGIN PRIVATE KEY").unwrap();
    let (certificate, key) = whole.split_at(key_begins);
    let broken = [
        key.replace('\n', ""),
        key.replace('\n', " "),
        key.replace('\n', "\\n"),
        key.replace("-----END", "----END"),
        key.replace(" KEY-----\n", " KEY----\n"),
        key.replacen('M', "*", 1),
        secrets.join("\n"),
        key.lines().take(2).collect::<Vec<_>>().join("\n"),
    ];
    for (number, key) in broken.iter().enumerate() {
        let refused = edge.log().matches("reload refused").count();
        fs::write(&file, format!("{certificate}{key}")).unwrap();
        eventually(&format!("the refusal of broken key {number}"), async || {
            (edge.log().matches("reload refused").count() > refused).then_some(())
        })
        .await;
        let said = said(&edge);
        secrets.iter().for_each(|line| untold(&said, line));
    }
    for (name, key) in [("fleet.key", FLEET), ("home.key", HOME)] {
        let path = edge.folder().join(name);
        for text in [format!("{key}zz"), format!("key: {key}"), format!("{key}\n5ec7e7")] {
            fs::write(&path, text).unwrap();
            edge.signal("HUP");
            let said = said(&edge);
            untold(&said, key);
        }
        fs::write(&path, key).unwrap();
    }
}

/// Pages for clients say what happened to their request and nothing of what stands behind nearside.
#[tokio::test(flavor = "multi_thread")]
async fn pages_tell_nothing_internal() {
    let (edge, mut backend) = talkative("info").await;
    let address = backend.address.to_string();
    let client = client::reqwest(&edge, true);
    for path in ["/a%00b", "/reset", "/"] {
        if path == "/" {
            nearside_tests::backend::kill(&[&backend]);
        }
        for accept in ["text/html", "application/json"] {
            let answer = client.get(client::url(&edge, path)).header("accept", accept).send().await.unwrap();
            assert!(answer.status().is_client_error() || answer.status().is_server_error(), "{path}");
            let said = format!("{:?}", answer.headers()) + &answer.text().await.unwrap();
            for internal in [
                address.as_str(),
                "routes.yaml",
                "127.0.0.1",
                "frankfurt",
                "test1",
                "\"one\"",
                "panicked",
                ".rs",
            ] {
                assert!(!said.contains(internal), "{path}: {internal} in {said}");
            }
        }
    }
    backend.again().await;
}
