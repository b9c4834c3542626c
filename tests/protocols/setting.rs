//! An edge before one backend of each protocol, told apart by the first part of the path.

use nearside_sample::{Handle, Options, Protocol, Tls, start};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, QUICK};
use std::fmt::Write;

/// The kinds of backends: HTTP/1.1 and HTTP/2, without TLS and with it.
pub(crate) const KINDS: [&str; 4] = ["h1", "h2c", "h1s", "h2"];

pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) backends: Vec<Handle>,
}

/// Starts the backends and the edge.
pub(crate) async fn stage() -> Stage {
    stage_with("").await
}

/// The same with `more` routes in the file.
pub(crate) async fn stage_with(more: &str) -> Stage {
    let setting = Setting::new();
    let mut text = format!("{QUICK}pools:\n");
    let mut backends = Vec::new();
    for kind in KINDS {
        let mut options = Options::new(kind, "frankfurt");
        options.bind = ([127, 0, 0, 1], 0).into();
        let (protocol, tls, spoken) = match kind {
            "h1" => (Protocol::H1, false, "auto"),
            "h2c" => (Protocol::H2c, false, "h2c"),
            "h1s" => (Protocol::H1, true, "auto"),
            _ => (Protocol::H2, true, "auto"),
        };
        options.protocols = vec![protocol];
        if tls {
            let (certificate, key) = setting.authority.sign(&["backend.test"]);
            options.tls = Some(Tls { certificate, key, client_ca: None });
        }
        let backend = start(options).await.unwrap();
        let (scheme, port) = (if tls { "https" } else { "http" }, backend.addr().port());
        writeln!(text, "  {kind}:").unwrap();
        if tls {
            writeln!(text, "    tls: {{ sni: backend.test, ca: ca.pem }}").unwrap();
        }
        writeln!(text, "    connections: {{ protocol: {spoken} }}").unwrap();
        writeln!(
            text,
            "    backends: [{{ id: {kind}, url: \"{scheme}://127.0.0.1:{port}\", region: frankfurt }}]"
        )
        .unwrap();
        backends.push(backend);
    }
    text.push_str("routes:\n");
    for kind in KINDS {
        writeln!(
            text,
            "  - {{ host: www.example.com, path: /{kind}/*, strip_prefix: /{kind}, pool: {kind} }}"
        )
        .unwrap();
    }
    text.push_str("  - { host: \"*.shop.example.com\", pool: h1 }\n");
    text.push_str(more);
    Stage { edge: setting.run(&text).await, backends }
}
