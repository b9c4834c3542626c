//! nearside in a scene.

use super::proxy::{Proxy, Surroundings};
use super::setup::Setup;
use crate::Edge;
use crate::client::Door;
use crate::edge::{NAMES, Setting};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The probes and the retries that the figures assume; all else is nearside's default.
const HEAD: &str = "version: 1
fleet: { name: nearside-test }
defaults:
  probe: { interval: 500ms, fast_interval: 200ms, timeout: 450ms, fall: 2, rise: 2, method: GET, path: /healthz }
  retry: { max: 3, when: [connect, reset, timeout, 500, 502, 503, 504] }
shutdown: { deadline: 60s }
";

/// What lets a soak go from one fault to the next in seconds.
const BRISK: &str = "  passive: { eject_for: 200ms }
  failback: { hold: 1s, ramp: 2s }
  connections: { keepalive: 5s }
";

pub(super) async fn start(program: &Path, setup: &Setup, surroundings: &Surroundings) -> Nearside {
    let words = surroundings.words(program);
    let edge = Setting::new().run_by(&words, &file(setup)).await;
    Nearside { serving: edge.pid(), edge, program: program.to_owned(), words }
}

pub(super) struct Nearside {
    pub(super) edge: Edge,
    program: PathBuf,
    words: Vec<OsString>,
    /// The process that serves: ours, or one that took its place.
    pub(super) serving: u32,
}

impl Nearside {
    /// Starts it once more where it was, after it has ended.
    pub(super) async fn again(&mut self) {
        self.edge.again(&self.words).await;
        self.serving = self.edge.pid();
    }
}

/// Whether there is no such process, or one that only waits to be buried.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// The file but for its listeners and certificates, which the edge under test adds.
fn file(setup: &Setup) -> String {
    let head = HEAD.replace("shutdown:", &format!("{}shutdown:", if setup.brisk { BRISK } else { "" }));
    let mark = if setup.drained { "drain: \"a fault\"" } else { "" };
    let mut text = format!(
        "{head}regions: {{ frankfurt: {{ {mark} }}, virginia: {{}} }}\npools:\n  web:\n    backends:\n"
    );
    for spec in &setup.backends {
        writeln!(
            text,
            "      - {{ id: {}, url: \"http://{}:{}\", region: {}, priority: {} }}",
            spec.name, spec.host, spec.port, spec.region, spec.tier
        )
        .expect("text grows");
    }
    let (number, echo) = (setup.number, setup.echo);
    write!(
        text,
        "  echo:\n    probe: {{ protocol: tcp }}\n    backends: [{{ url: \"http://{echo}\", region: virginia }}]\n\
         routes:\n  - {{ host: www.example.com, path: /echo, pool: echo }}\n  \
         - {{ host: www.example.com, pool: web, headers: {{ to_client: {{ set: {{ x-config: \"{number}\" }} }} }} }}\n"
    )
    .expect("text grows");
    text
}

impl Proxy for Nearside {
    fn door(&self) -> Door {
        self.edge.door()
    }

    fn apply(&mut self, setup: &Setup) {
        self.edge.rewrite(|text| {
            let (_, rest) = text.split_once("\nlisteners:").expect("the edge has listeners");
            format!("{}\nlisteners:{rest}", file(setup))
        });
    }

    fn spoil(&mut self) {
        self.edge.rewrite(|text| text.replace("pools:", "poolz:"));
    }

    fn renew(&mut self) -> Vec<u8> {
        self.edge.authority.write(&self.edge.folder().join("certs/www.pem"), NAMES)
    }

    fn upgrade(&mut self) {
        let before = self.edge.serving();
        let mut command = Command::new(&self.program);
        command.args(["upgrade", "--state-dir", "state"]).current_dir(self.edge.folder());
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let now = self.edge.serving();
        assert_ne!(now, before, "the same process serves");
        self.serving = now.expect("a process serves");
    }

    fn terminate(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.serving.to_string()]).status();
        assert!(status.expect("kill is there").success(), "{} is gone", self.serving);
    }

    fn has_ended(&mut self) -> bool {
        if self.serving == self.edge.pid() { self.edge.has_ended() } else { is_gone(self.serving) }
    }

    fn log(&self) -> String {
        self.edge.log()
    }
}
