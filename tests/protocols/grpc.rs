//! gRPC: the cases of its interop tests, with grpcio as client and as server, before h2c and before TLS.

use nearside_tests::edge::Setting;
use nearside_tests::{QUICK, tool};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many cases the client has.
const CASES: usize = 17;

/// How a script is called that needs grpcio; `None`, said loudly, where that cannot be had.
fn python() -> Option<impl Fn(&str) -> Command> {
    let grpcio = tool::fetched("grpcio>=1.60,<2")?;
    Some(move |name: &str| {
        let mut command = grpcio.python();
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("protocols/grpc").join(name));
        command
    })
}

/// A server in a process of its own.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts it, over TLS where there is a certificate and a key.
    fn start(mut command: Command, pair: &[PathBuf]) -> Self {
        command.args(pair).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_passes_its_interop_cases() {
    let Some(python) = python() else { return };
    let setting = Setting::new();
    let (certificate, key) = setting.authority.sign(&["backend.test"]);
    let pair = [("backend.crt", certificate), ("backend.key", key)].map(|(name, text)| {
        let path = setting.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    let (clear, tls) = (Server::start(python("server.py"), &[]), Server::start(python("server.py"), &pair));
    let text = format!(
        "{QUICK}pools:\n  clear:\n    connections: {{ protocol: h2c }}\n    probe: {{ protocol: tcp }}\n    \
         backends: [{{ url: \"http://127.0.0.1:{}\", region: frankfurt }}]\n  tls:\n    \
         tls: {{ sni: backend.test, ca: ca.pem }}\n    probe: {{ protocol: tcp }}\n    \
         backends: [{{ url: \"https://127.0.0.1:{}\", region: frankfurt }}]\nroutes:\n  \
         - {{ host: www.example.com, pool: clear }}\n  - {{ host: \"*.shop.example.com\", pool: tls }}\n",
        clear.port, tls.port
    );
    let edge = setting.run(&text).await;
    for host in ["www.example.com", "a.shop.example.com"] {
        let mut client = python("client.py");
        client.arg(edge.https.port().to_string());
        let output = client.arg(edge.authority.file()).arg(host).output().unwrap();
        let [out, said] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let passed = out.lines().filter(|line| line.ends_with(" ok")).count();
        assert!(output.status.success() && passed == CASES, "{host}: {out}\n{said}");
    }
}
