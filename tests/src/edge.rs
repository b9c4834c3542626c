//! An edge under test: `nearside run` as a process of its own, with its own folder, certificates and ports.

use crate::Authority;
use crate::client::Door;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use tempfile::TempDir;

/// A running edge; dropping it kills it and removes its folder.
pub struct Edge {
    /// The TLS listener.
    pub https: SocketAddr,
    /// The listener that redirects to it.
    pub http: SocketAddr,
    /// Who signed its certificates.
    pub authority: Authority,
    child: Child,
    folder: TempDir,
    threads: &'static str,
}

/// An edge that is being set up.
pub struct Setting {
    /// Who will sign its certificates.
    pub authority: Authority,
    folder: TempDir,
    listeners: Vec<(SocketAddr, &'static str)>,
    client_ip: &'static str,
    threads: &'static str,
    is_watched: bool,
}

/// The certificate's names in every edge.
pub const NAMES: &[&str] = &["www.example.com", "*.shop.example.com", "localhost"];

/// What an edge is called with.
const RUN: &[&str] = &["run", "--pop", "test1", "--threads"];

impl Setting {
    /// A fresh folder with an authority.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new(folder.path());
        Self { authority, folder, listeners: Vec::new(), client_ip: "{}", threads: "2", is_watched: false }
    }

    /// Serves on `address` too, over TLS.
    pub fn listen(&mut self, address: SocketAddr) -> SocketAddr {
        self.listeners.push((address, "tls: true"));
        address
    }

    /// Serves on a port of 127.0.0.1 too, without TLS.
    pub fn listen_plain(&mut self) -> SocketAddr {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::port()));
        self.listeners.push((address, "tls: false"));
        address
    }

    /// Serves on a port of 127.0.0.1 too, with these settings of a listener.
    pub fn listen_as(&mut self, kind: &'static str) -> SocketAddr {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::port()));
        self.listeners.push((address, kind));
        address
    }

    /// Serves these names too, with a certificate of their own.
    pub fn certify(&mut self, file: &str, names: &[&str]) {
        let folder = self.folder().join("certs");
        fs::create_dir_all(&folder).expect("own folder");
        self.authority.write(&folder.join(file), names);
    }

    /// Where the TLS listener reads the client's address, as the file says it.
    pub fn client_ip(&mut self, client_ip: &'static str) {
        self.client_ip = client_ip;
    }

    /// Has so many workers, where two are not what the test is about.
    pub fn threads(&mut self, threads: &'static str) {
        self.threads = threads;
    }

    /// Where everything of this edge stands.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the edge with `body` as its file, to which listeners and certificates are added, and waits until
    /// it is ready.
    pub async fn run(self, body: &str) -> Edge {
        self.run_by(&[crate::program().into()], body).await
    }

    /// Starts the edge for as long as this process lives, for a suite whose cases share one. What is static is never
    /// dropped, so a shell waits for this process to end, however that comes about, and then ends the edge.
    pub async fn run_for_good(mut self, body: &str) -> &'static Edge {
        const WATCH: &str = "\"$@\" & edge=$!; cat > /dev/null; kill -KILL $edge; wait $edge; rm -rf \"$0\"";
        self.is_watched = true;
        let folder = self.folder().into();
        let words = ["sh".into(), "-c".into(), WATCH.into(), folder, crate::program().into()];
        Box::leak(Box::new(self.run_by(&words, body).await))
    }

    /// Plays the demo instead, at `place`: with sample backends of its own, as far away as their regions are from there.
    pub async fn demo(self, place: &str, body: &str) -> Edge {
        let words = [crate::program().into()];
        self.start(&words, &["demo", "--place", place], body).await
    }

    /// The same as [`Setting::run`] with this program, or with one that becomes it: `sh -c "ulimit …; exec …"` and the like.
    pub async fn run_by(self, words: &[OsString], body: &str) -> Edge {
        let run = [RUN, &[self.threads]].concat();
        self.start(words, &run, body).await
    }

    async fn start(self, words: &[OsString], what: &[&str], body: &str) -> Edge {
        let [https, http] =
            [crate::port(), crate::port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        fs::create_dir_all(self.folder().join("certs")).expect("own folder");
        self.authority.write(&self.folder().join("certs/www.pem"), NAMES);
        let more = self.listeners.iter();
        let more = more.map(|(address, kind)| format!("  - {{ bind: \"{address}\", {kind} }}\n"));
        let more: String = more.collect();
        let client_ip = self.client_ip;
        let tls = "tls:\n  certificates: [certs/*.pem]\n";
        let tls = if body.contains(tls) { "" } else { tls };
        let text = format!(
            "{body}\nlisteners:\n  - {{ bind: \"{https}\", tls: true, client_ip: {client_ip} }}\n  - {{ bind: \"{http}\", redirect_https: 308 }}\n\
             {more}{tls}"
        );
        fs::write(self.folder().join("routes.yaml"), text).expect("a fresh folder");
        let stdin = if self.is_watched { Stdio::piped() } else { Stdio::null() };
        let child = spawn(words, what, self.folder(), stdin);
        let (authority, folder, threads) = (self.authority, self.folder, self.threads);
        let mut edge = Edge { https, http, authority, child, folder, threads };
        crate::eventually("an edge that is ready", async || edge.ready()).await;
        edge
    }
}

impl Default for Setting {
    fn default() -> Self {
        Self::new()
    }
}

/// Starts an edge in its folder; what it says follows what one before it said there.
fn spawn(words: &[OsString], what: &[&str], folder: &Path, stdin: Stdio) -> Child {
    let append = |name: &str| {
        fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).expect("own folder")
    };
    let (program, arguments) = words.split_first().expect("a program");
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .args(what)
        .args(["--state-dir", "state", "routes.yaml"])
        .stdin(stdin)
        .stdout(append("access"))
        .stderr(append("log"))
        .spawn()
        .expect("the program starts")
}

impl Edge {
    /// Starts it once more, by these words, after it has ended.
    pub async fn again(&mut self, words: &[OsString]) {
        drop(self.child.wait());
        let run = [RUN, &[self.threads]].concat();
        self.child = spawn(words, &run, self.folder(), Stdio::null());
        crate::eventually("an edge that is ready again", async || self.ready()).await;
    }

    fn ready(&mut self) -> Option<()> {
        if let Some(status) = self.child.try_wait().expect("our child") {
            panic!("the edge ended with {status}:\n{}", self.log());
        }
        self.ask("/readyz").filter(|(status, _)| *status == 200).map(|_| ())
    }

    /// Where clients come in.
    #[must_use]
    pub fn door(&self) -> Door {
        Door { https: self.https, authority: self.authority.pem() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process that serves now: another one after an upgrade.
    #[must_use]
    pub fn serving(&self) -> Option<u32> {
        let (_, status) = self.ask("/status")?;
        let status: Value = serde_json::from_str(&status).ok()?;
        status["pid"].as_u64()?.try_into().ok()
    }

    /// Calls the program for this edge: what it said, and whether all was fine.
    #[must_use]
    pub fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(crate::program());
        command.args(arguments).args(["--state-dir", "state"]).current_dir(self.folder());
        tokio::task::block_in_place(|| command.stdin(Stdio::null()).output()).expect("the program starts")
    }

    /// Where its files stand.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its `routes.yaml`.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder().join("routes.yaml")
    }

    /// What it said on standard output: its access log, or in a demo what to try.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder().join("access")).unwrap_or_default()
    }

    /// What it said of itself.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Its access log, a record a line.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        self.said().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Asks its admin socket: status and body.
    #[must_use]
    pub fn ask(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(self.folder().join("state/admin.sock")).ok()?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes())
            .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Its `/status`.
    #[must_use]
    pub fn status(&self) -> Value {
        let (status, body) = self.ask("/status").expect("the admin socket answers");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("no JSON ({error}): {body}"))
    }

    /// Waits until it has this verdict of the backend, which is named as `pool/id`.
    pub async fn knows(&self, key: &str, verdict: &str) {
        let told = || {
            let status = self.status();
            let mut all = status["backends"].as_array().expect("a list").iter();
            all.any(|one| one["key"] == key && one["verdict"] == verdict)
        };
        crate::eventually(&format!("{key}: {verdict}"), async || told().then_some(())).await;
    }

    /// The number of the generation that serves.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let status = self.status();
        let stamp = status["generation"].as_str().unwrap_or_else(|| panic!("no generation in {status}"));
        stamp.split('-').next().and_then(|number| number.parse().ok()).expect("a number stands first")
    }

    /// Changes the file in one step, as editors and deployments do (a new file renamed over it).
    pub fn rewrite(&self, change: impl FnOnce(String) -> String) {
        let text = change(fs::read_to_string(self.file()).expect("the file"));
        let fresh = self.folder().join("routes.fresh");
        fs::write(&fresh, text).expect("own folder");
        fs::rename(&fresh, self.file()).expect("one folder");
    }

    /// Changes the file and waits until the next generation serves.
    pub async fn reload(&self, change: impl FnOnce(String) -> String) {
        let before = self.generation();
        self.rewrite(change);
        crate::eventually("the next generation", async || (self.generation() > before).then_some(())).await;
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill is there");
        assert!(status.success());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        crate::eventually("the end of the edge", async || child.try_wait().expect("our child")).await
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some(successor) = self.serving().filter(|pid| *pid != self.child.id()) {
            drop(Command::new("kill").args(["-KILL", &successor.to_string()]).status());
        }
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the edge said:\n{}", self.log());
        }
    }
}
