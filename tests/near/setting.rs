//! Three regions, one of them under another law, and networks whose place is known.

use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Process, QUICK};

/// A German network, an American one, and everything else of which nothing is known.
pub(crate) const GERMAN: &str = "203.0.113.9";
pub(crate) const AMERICAN: &str = "198.51.100.7";

/// An edge before three backends, and the backends.
pub(crate) struct Scene {
    pub(crate) edge: Edge,
    _backends: [Process; 3],
}

impl Scene {
    pub(crate) async fn start(client_ip: &'static str) -> Self {
        let mut setting = Setting::new();
        setting.client_ip(client_ip);
        let backends = [
            Process::start(setting.folder(), "fra", "frankfurt").await,
            Process::start(setting.folder(), "dub", "dublin").await,
            Process::start(setting.folder(), "iad", "virginia").await,
        ];
        let [fra, dub, iad] = [0, 1, 2].map(|index: usize| backends[index].address);
        let head = QUICK.replace(
            "regions: { frankfurt: {}, virginia: {} }",
            "regions:\n  frankfurt: { jurisdictions: [EU] }\n  dublin: { jurisdictions: [EU] }\n  \
             virginia: { jurisdictions: [US] }\n\
             geo: { overrides: { \"203.0.113.0/24\": { country: DE }, \"198.51.100.0/24\": { country: US, state: US-VA }, \
             \"127.0.0.0/8\": { country: ZZ } } }\n\
             residency: { eu-only: { allow: [EU], survive: 1 } }\n\
             observe: { debug_from: [\"127.0.0.0/8\"] }",
        );
        let text = format!(
            "{head}pools:\n  web:\n    backends:\n\
             \x20     - {{ id: fra, url: \"http://{fra}\", region: frankfurt }}\n\
             \x20     - {{ id: dub, url: \"http://{dub}\", region: dublin }}\n\
             \x20     - {{ id: iad, url: \"http://{iad}\", region: virginia }}\n\
             routes:\n\
             \x20 - host: www.example.com\n    pool: web\n    geo: [{{ country: US, to: [virginia, dublin] }}]\n    \
             residency: [{{ group: GDPR, class: eu-only }}]\n\
             \x20 - {{ host: www.example.com, path: /free/*, pool: web }}\n"
        );
        Self { edge: setting.run(&text).await, _backends: backends }
    }
}
