//! A page of `docs/strategies`, or one of `docs/migration`: its file, made to run on this machine, and what its commands print.
//!
//! The file stays what a reader sees, but for urls and listeners, and for its tempo: nobody waits for a minute's hold.

use crate::edge::Setting;
use crate::{Authority, Edge, Process};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The bytes of every key that a page's file names.
pub const KEY: [u8; 32] = [7; 32];

/// What a page says of time, and what it comes to in a test. A probe may take what regions on the other side of the
/// earth take.
const TEMPO: [[&str; 2]; 2] = [
    [
        "  probe: { path: /healthz }",
        "  probe: { path: /healthz, interval: 1s, fast_interval: 200ms, timeout: 900ms, fall: 2, rise: 1 }\n  \
         passive: { eject_for: 500ms }",
    ],
    ["  failback: { hold: 60s, ramp: 5m }", "  failback: { hold: 0s, ramp: 0s }"],
];

/// A page and its file.
pub struct Page {
    name: String,
    file: String,
}

/// A backend as a page's file declares it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declared {
    /// Its id, which begins its host's name.
    pub id: String,
    /// Its region.
    pub region: String,
}

/// An edge that serves a page's file, before its backends.
pub struct Scene {
    /// The edge.
    pub edge: Edge,
    /// Its backends.
    pub backends: Vec<Process>,
}

impl Page {
    /// The strategy of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::within(&folder(), name)
    }

    /// The page of this name, whose file stands beside it.
    #[must_use]
    pub fn within(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("{name}.yaml"));
        let file = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.to_owned(), file }
    }

    /// Its file, as readers see it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The backends of its file, each of which stands on a line of its own.
    #[must_use]
    pub fn backends(&self) -> Vec<Declared> {
        let of = |line: &str| {
            let (_, rest) = line.split_once("{ id: ")?;
            let (id, rest) = rest.split_once(", url: \"https://")?;
            let (host, rest) = rest.split_once(".example.internal\", region: ")?;
            assert_eq!(id, host, "{}: an id begins its host's name", self.name);
            let region = rest.split([',', ' ']).next()?.to_owned();
            Some(Declared { id: id.to_owned(), region })
        };
        self.file.lines().filter_map(of).collect()
    }

    /// Its file with each backend at this address, and quick.
    #[must_use]
    pub fn at(&self, address: impl Fn(&str) -> SocketAddr) -> String {
        let mut text = self.file.clone();
        for backend in self.backends() {
            let (id, address) = (&backend.id, address(&backend.id));
            text = text.replace(&format!("https://{id}.example.internal"), &format!("http://{address}"));
        }
        assert!(!text.contains("example.internal"), "{}: a backend is left over: {text}", self.name);
        for [slow, quick] in TEMPO {
            assert_eq!(text.matches(slow).count(), 1, "{}: {slow}", self.name);
            text = text.replace(slow, quick);
        }
        text
    }

    /// A setting with the keys that its file names.
    #[must_use]
    pub fn setting(&self) -> Setting {
        let setting = Setting::new();
        self.keys(setting.folder());
        setting
    }

    /// A sample backend for each of its file's, with their ledgers in `folder`.
    pub async fn cast(&self, folder: &Path) -> Vec<Process> {
        let mut cast = Vec::new();
        for backend in self.backends() {
            cast.push(Process::start(folder, &backend.id, &backend.region).await);
        }
        cast
    }

    /// Its file, for these backends.
    #[must_use]
    pub fn before(&self, cast: &[Process]) -> String {
        self.at(|id| cast.iter().find(|process| process.name == id).expect("all are played").address)
    }

    /// An edge with its file, before its backends, once it knows that they are well; it believes what this machine
    /// says of clients.
    pub async fn scene(&self) -> Scene {
        let mut setting = self.setting();
        setting.client_ip("{ from: header, trusted: [\"127.0.0.0/8\"] }");
        let backends = self.cast(setting.folder()).await;
        let edge = setting.run(&self.before(&backends)).await;
        Scene { edge, backends }
    }

    /// The page with its file and the output of its commands as they are now.
    #[must_use]
    pub fn retold(&self, text: &str) -> String {
        let mut told = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            told.push_str(&format!("{line}\n"));
            if line == format!("```yaml {}.yaml", self.name) {
                lines.by_ref().take_while(|line| *line != "```").for_each(drop);
                told.push_str(&format!("{}```\n", self.file));
            } else if line == "```console" {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                let desk = self.desk();
                for command in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    told.push_str(&format!("$ {command}\n{}", output(desk.path(), command)));
                }
                told.push_str("```\n");
            }
        }
        told
    }

    /// A folder as an operator has it: the file, its certificates and its keys.
    #[must_use]
    pub fn desk(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = folder.path().join("certs");
        fs::create_dir(&certificates).expect("a fresh folder");
        Authority::new(folder.path()).write(&certificates.join("www.pem"), crate::edge::NAMES);
        self.keys(folder.path());
        fs::write(folder.path().join("routes.yaml"), &self.file).expect("a fresh folder");
        folder
    }

    fn keys(&self, folder: &Path) {
        let named = ["secrets/fleet.key", "secrets/home.key"];
        for name in named.into_iter().filter(|name| self.file.contains(name)) {
            fs::create_dir_all(folder.join("secrets")).expect("a fresh folder");
            fs::write(folder.join(name), data_encoding::HEXLOWER.encode(&KEY)).expect("a fresh folder");
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).expect("own file");
        }
    }
}

impl Scene {
    /// The backends of a region.
    #[must_use]
    pub fn of(&self, region: &str) -> Vec<&Process> {
        let declared = self.backends.iter().filter(|process| process.region == region);
        declared.collect()
    }

    /// The requests that reached a region, probes left out.
    #[must_use]
    pub fn requests(&self, region: &str) -> Vec<nearside_sample::Arrival> {
        self.of(region).iter().flat_map(|process| process.requests()).collect()
    }

    /// Starts again what was killed in a region.
    pub async fn again(&mut self, region: &str) {
        for process in self.backends.iter_mut().filter(|process| process.region == region) {
            process.again().await;
        }
    }
}

/// Where the pages stand.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/strategies")
}

/// What a command says there, typed into a shell.
fn output(folder: &Path, command: &str) -> String {
    let program = crate::program();
    let built = program.parent().expect("it stands in a folder").to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(built).chain(std::env::split_paths(&others)));
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{{ {command}\n}} 2>&1")]).current_dir(folder);
    shell.env("PATH", path.expect("a path of folders")).env("NEARSIDE_STATE_DIR", "state");
    let output = shell.env_remove("NEARSIDE_PLACE").output().expect("there is a shell");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains("Usage: "), "a page calls a command that does not exist: {command}\n{text}");
    text
}
