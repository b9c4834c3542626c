//! nearside in a scene.

use super::proxy::{Proxy, Surroundings};
use super::setup::Setup;
use crate::Edge;
use crate::client::Door;
use crate::edge::{NAMES, Setting};
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

pub(super) async fn start(program: &Path, setup: &Setup, surroundings: &Surroundings) -> Nearside {
    let words = surroundings.words(program);
    Nearside { edge: Setting::new().run_by(&words, &file(setup)).await, program: program.to_owned() }
}

pub(super) struct Nearside {
    edge: Edge,
    program: PathBuf,
}

/// The file but for its listeners and certificates, which the edge under test adds.
fn file(setup: &Setup) -> String {
    let mark = if setup.drained { "drain: \"a fault\"" } else { "" };
    let mut text = format!(
        "{HEAD}regions: {{ frankfurt: {{ {mark} }}, virginia: {{}} }}\npools:\n  web:\n    backends:\n"
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
        assert_ne!(self.edge.serving(), before, "the same process serves");
    }

    fn terminate(&mut self) {
        self.edge.signal("TERM");
    }

    fn has_ended(&mut self) -> bool {
        self.edge.has_ended()
    }

    fn log(&self) -> String {
        self.edge.log()
    }
}
