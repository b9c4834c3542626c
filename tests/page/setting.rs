//! The setting: a PoP in Berlin with three regions, a backend in each, and its admin interface on TCP.

use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Process};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

/// What opens the admin interface here.
pub(crate) const TOKEN: &str = "6e65617273696465206e65617273696465206e65617273696465206e656172736964";
/// A reason that would do something if it were taken for markup.
pub(crate) const MARKUP: &str =
    "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>";

/// What runs.
pub(crate) struct Scene {
    pub(crate) edge: Edge,
    pub(crate) admin: SocketAddr,
    pub(crate) frankfurt: Process,
    _others: [Process; 2],
}

/// A setting with a token, and the address of its admin interface.
fn setting() -> (Setting, SocketAddr) {
    let setting = Setting::new();
    let token = setting.folder().join("admin.token");
    fs::write(&token, TOKEN).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    (setting, SocketAddr::from(([127, 0, 0, 1], nearside_tests::port())))
}

/// Where regions are, and probes that tests need not wait for.
const HEAD: &str = "version: 1
fleet: { name: nearside-test }
defaults:
  probe: { interval: 500ms, fast_interval: 200ms, timeout: 400ms, fall: 2, rise: 1, path: /healthz }
  failback: { hold: 1s, ramp: 1s }
regions:
  frankfurt: { place: { country: DE, lat: 50.11, lon: 8.68 }, capacity: 20000 rps }
  dublin: { place: { country: IE, lat: 53.35, lon: -6.26 }, capacity: 20000 rps }
  virginia: { place: { country: US, state: US-VA, lat: 38.95, lon: -77.45 } }
";

impl Scene {
    /// The scene, with this word at `observe`, where `ADMIN` is the address.
    pub(crate) async fn new(observe: &str) -> Self {
        let (setting, admin) = setting();
        let frankfurt = Process::start(setting.folder(), "fra-a", "frankfurt").await;
        let dublin = Process::start(setting.folder(), "dub-a", "dublin").await;
        let virginia = Process::start(setting.folder(), "iad-a", "virginia").await;
        let observe = observe.replace("ADMIN", &admin.to_string());
        let text = format!(
            "{HEAD}pools:
  web:
    backends:
      - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}
      - {{ id: dub-a, url: \"http://{}\", region: dublin, priority: 2 }}
      - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 3, drain: \"{MARKUP}\" }}
routes:
  - {{ host: www.example.com, pool: web }}
observe: {observe}
",
            frankfurt.address, dublin.address, virginia.address
        );
        let words = ["env".into(), "NEARSIDE_PLACE=DE,52.52,13.40".into(), nearside_tests::program().into()];
        let edge = setting.run_by(&words, &text).await;
        Self { edge, admin, frankfurt, _others: [dublin, virginia] }
    }

    /// The usual one: whoever comes by TCP has to show the token.
    pub(crate) async fn usual() -> Self {
        Self::new("{ admin: \"ADMIN\", admin_token: admin.token }").await
    }

    /// Where the page is.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.admin)
    }
}

/// A demo of four regions, with backends as far away as these are: what is worth a picture.
pub(crate) struct Demo {
    pub(crate) edge: Edge,
    pub(crate) page: String,
    /// The backend that can be told to fail.
    failing: SocketAddr,
}

impl Demo {
    pub(crate) async fn new() -> Self {
        let (setting, admin) = setting();
        let names = [
            ("fra-a", "frankfurt"),
            ("fra-b", "frankfurt"),
            ("dub-a", "dublin"),
            ("iad-a", "virginia"),
            ("iad-b", "virginia"),
        ];
        let mut failing = admin;
        let mut backends = String::new();
        for (name, region) in names.into_iter().chain([("sin-a", "singapore")]) {
            let address = SocketAddr::from(([127, 0, 0, 1], nearside_tests::port()));
            failing = if name == "fra-b" { address } else { failing };
            let tier = if matches!(region, "frankfurt" | "dublin") { 1 } else { 2 };
            backends += &format!(
                "      - {{ id: {name}, url: \"http://{address}\", region: {region}, priority: {tier} }}\n"
            );
        }
        let text = format!(
            "{HEAD}  singapore: {{ place: {{ country: SG, lat: 1.35, lon: 103.82 }} }}\npools:\n  web:\n    backends:\n{backends}\
             routes:\n  - {{ host: www.example.com, pool: web }}\n\
             observe: {{ admin: \"{admin}\", admin_token: admin.token }}\n"
        );
        let edge = setting.demo("DE,52.52,13.40", &text).await;
        Self { edge, page: format!("http://{admin}/"), failing }
    }

    /// Has the second backend in Frankfurt answer 500 from now on.
    pub(crate) async fn fail(&self) {
        let url = format!("http://{}/control/fault/errors", self.failing);
        assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 200);
    }
}
