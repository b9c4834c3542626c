//! One edge for all cases, with the defaults that it is shipped with, and behind it a backend that records.

use nearside_tests::edge::Setting;
use nearside_tests::raw::Backend;
use nearside_tests::{Edge, wire};
use std::net::SocketAddr;
use std::sync::OnceLock;

/// The edge and the backend. They live as long as the process, and no case leaves anything behind in them.
pub(crate) struct Stage {
    /// Its TLS listener is `edge.https`.
    pub(crate) edge: &'static Edge,
    /// Its listener without TLS.
    pub(crate) plain: SocketAddr,
    /// What every host of the file leads to.
    pub(crate) backend: Backend,
}

/// The stage, which the first case sets up.
pub(crate) fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| apart(set_up))
}

/// What `set_up` makes, on a thread of its own, since a case may be within a runtime already.
pub(crate) fn apart<T, F>(set_up: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let setting_up = std::thread::spawn(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(set_up())
    });
    setting_up.join().unwrap()
}

async fn set_up() -> Stage {
    let backend = Backend::start();
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let edge = setting.run_for_good(&file(&backend)).await;
    Stage { edge, plain, backend }
}

fn file(backend: &Backend) -> String {
    let address = backend.address;
    format!(
        "version: 1
fleet: {{ name: nearside-test }}
regions: {{ frankfurt: {{}} }}
defaults: {{ probe: {{ interval: 1h }} }}
pools:
  raw:
    connections: {{ proxy_protocol: v1 }}
    backends: [{{ id: raw, url: \"http://{address}\", region: frankfurt }}]
  h2:
    connections: {{ proxy_protocol: v1, protocol: h2c }}
    probe: {{ protocol: tcp }}
    backends: [{{ id: h2, url: \"http://{address}\", region: frankfurt }}]
  one:
    probe: {{ protocol: tcp }}
    backends: [{{ url: \"http://{address}\", region: frankfurt }}]
  other:
    probe: {{ protocol: tcp }}
    backends: [{{ url: \"http://{address}\", region: frankfurt }}]
routes:
  - {{ host: one.shop.example.com, pool: one }}
  - {{ host: other.shop.example.com, pool: other }}
  - {{ host: www.example.com, pool: raw }}
  - {{ host: www.example.com, path: /set, pool: raw, headers: {{ to_backend: {{ set: {{ x-tenant: good }} }} }} }}
  - {{ host: www.example.com, path: /small, pool: raw, limits: {{ body: 10B }} }}
  - {{ host: www.example.com, path: /h2/*, pool: h2 }}
  - {{ host: www.example.com, path: \"/%e2%82%ac/*\", answer: {{ status: 403 }} }}
  - {{ host: localhost, pool: raw, upgrades: [] }}
  - {{ host: \"*.shop.example.com\", pool: raw }}
  - {{ host: normal.shop.example.com, pool: raw, paths: normalise }}
  - {{ host: normal.shop.example.com, path: /secret/*, paths: normalise, answer: {{ status: 403 }} }}
  - {{ host: raw.shop.example.com, pool: raw, paths: as_is }}
  - {{ host: raw.shop.example.com, path: /secret/*, paths: as_is, answer: {{ status: 403 }} }}
"
    )
}

/// What a backend saw, without what the edge adds to each request, as far as that is just what it should be.
pub(crate) fn seen(mut request: wire::Message) -> String {
    let hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let host = request.get("host").unwrap_or_default().to_owned();
    let mut missing = Vec::new();
    for (name, lawful) in ADDED {
        let expected = |value: &str| match *lawful {
            "REF" => hex(value, 16),
            "TRACE" => value.len() == 55 && value.split('-').count() == 4,
            "SCHEME" => value == "http" || value == "https",
            "HOST" => value == host,
            "VIA" => value == "1.1 nearside" || value == "2.0 nearside",
            exact => value == exact,
        };
        match request.fields.iter().position(|(key, value)| key == name && expected(value)) {
            Some(at) => drop(request.fields.remove(at)),
            None => missing.push(*name),
        }
    }
    let mut text = request.text();
    for name in missing {
        text.push_str(&format!("missing {name}\n"));
    }
    text
}

/// What the edge adds, each once.
const ADDED: &[(&str, &str)] = &[
    ("x-nearside-ref", "REF"),
    ("x-nearside-pop", "test1"),
    ("x-nearside-place", "ZZ"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "HOST"),
    ("x-forwarded-proto", "SCHEME"),
    ("via", "VIA"),
    ("cdn-loop", "nearside-test"),
    ("traceparent", "TRACE"),
];
