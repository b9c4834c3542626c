//! The processes of a comparison: the origin, nginx as a proxy, nearside.

use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ORIGIN: u16 = 19_180;

/// A proxy under measurement.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    plain: u16,
    tls: u16,
    server: Server,
}

/// A process; dropping it asks it to end and waits.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its workers only when asked politely.
        drop(process::run_quietly(Command::new("kill").args(["-TERM", &self.0.id().to_string()])));
        drop(self.0.wait());
    }
}

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Proxy {
    pub(super) fn url(&self, tls: bool) -> String {
        if tls {
            format!("https://localhost:{}/", self.tls)
        } else {
            format!("http://localhost:{}/", self.plain)
        }
    }

    pub(super) fn tls_port(&self) -> u16 {
        self.tls
    }

    /// The processes that carry requests: the child's own children where it has some.
    pub(super) fn workers(&self) -> Result<Vec<u32>> {
        let own = self.server.0.id();
        let path = format!("/proc/{own}/task/{own}/children");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let children: Vec<u32> = text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        Ok(if children.is_empty() { vec![own] } else { children })
    }
}

/// Everything that a comparison runs; dropping it ends all of it.
pub(super) struct Bench {
    pub(super) proxies: [Proxy; 2],
    pub(super) nginx_version: String,
    pub(super) root: PathBuf,
    _origin: Server,
    /// Dropped last: the processes write into it.
    _folder: Folder,
}

impl Bench {
    /// Starts the origin and both proxies and waits until they answer.
    pub(super) fn start(root: &Path) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("nearside-compare-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let _folder = Folder(folder.clone());
        certificate(&folder)?;
        fs::write(folder.join("origin.conf"), origin()).context("cannot write origin.conf")?;
        fs::write(folder.join("nginx.conf"), proxy(&folder)).context("cannot write nginx.conf")?;
        fs::write(folder.join("routes.yaml"), routes(&folder)).context("cannot write routes.yaml")?;
        let nginx = crate::tools::find("nginx").context("nginx is missing")?;
        let _origin = nginx_with(&nginx, &folder, "origin.conf")?;
        let peer = Proxy {
            name: "nginx",
            plain: 19_280,
            tls: 19_243,
            server: nginx_with(&nginx, &folder, "nginx.conf")?,
        };
        let ours = Proxy { name: "nearside", plain: 19_380, tls: 19_343, server: nearside(root, &folder)? };
        for port in [ORIGIN, peer.plain, peer.tls, ours.plain, ours.tls] {
            wait_for(port)?;
        }
        let version = Command::new(&nginx).arg("-v").output().context("cannot ask nginx for its version")?;
        let nginx_version = String::from_utf8_lossy(&version.stderr).trim().to_owned();
        Ok(Self { proxies: [peer, ours], nginx_version, root: root.to_owned(), _origin, _folder })
    }
}

fn nginx_with(nginx: &Path, folder: &Path, file: &str) -> Result<Server> {
    let mut command = limited(nginx);
    command.args(["-p".as_ref(), folder.as_os_str(), "-c".as_ref(), folder.join(file).as_os_str()]);
    command.spawn().map(Server).context("cannot start nginx")
}

fn nearside(root: &Path, folder: &Path) -> Result<Server> {
    let program = process::target(root)?.join("release/nearside");
    let mut command = limited(&program);
    command
        .args(["run", "--threads", "1", "--state-dir"])
        .arg(folder.join("state"))
        .arg(folder.join("routes.yaml"));
    command.env("NEARSIDE_LOG", "warn");
    command.stdout(Stdio::null()).spawn().map(Server).context("cannot start nearside")
}

/// The program with room for many descriptors.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""]).arg(program).stdin(Stdio::null());
    command
}

fn wait_for(port: u16) -> Result<()> {
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("nobody listens on port {port}")
}

fn certificate(folder: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
    ]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    command.arg("-keyout").arg(folder.join("localhost.key")).arg("-out").arg(folder.join("localhost.pem"));
    process::run_quietly(&mut command)
}

fn origin() -> String {
    let body = "0123456789abcdef".repeat(64);
    format!(
        "daemon off; worker_processes 1; pid origin.pid; error_log stderr crit;\n\
         events {{ worker_connections 20000; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300s;\n\
         server {{ listen 127.0.0.1:{ORIGIN}; location / {{ default_type text/plain; return 200 \"{body}\"; }} }} }}\n"
    )
}

/// The same record of each request that nearside writes, as far as nginx knows it.
const LOG: &str = r#"log_format record escape=json '{"time":"$time_iso8601","ref":"$request_id","client":"$remote_addr",'
'"protocol":"$server_protocol","tls":"$ssl_protocol","host":"$host","method":"$request_method","path":"$uri",'
'"status":$status,"backend":"$upstream_addr","total":$request_time,"first_byte":"$upstream_header_time",'
'"bytes_in":$request_length,"bytes_out":$body_bytes_sent}';"#;

fn proxy(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 40000; }}\n\
         http {{ {LOG} access_log {folder}/access.log record buffer=64k flush=1s;\n\
         keepalive_requests 100000000; keepalive_timeout 300s;\n\
         ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519; ssl_session_tickets on;\n\
         upstream origin {{ server 127.0.0.1:{ORIGIN}; keepalive 256; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:19280; listen 127.0.0.1:19243 ssl http2; server_name localhost;\n\
         ssl_certificate {folder}/localhost.pem; ssl_certificate_key {folder}/localhost.key;\n\
         location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Host $host; }} }} }}\n"
    )
}

fn routes(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "version: 1\nregions: {{ here: {{}} }}\npools:\n  origin:\n    backends:\n      \
         - {{ url: \"http://127.0.0.1:{ORIGIN}\", region: here }}\n\
         routes:\n  - {{ host: localhost, pool: origin }}\n\
         limits: {{ connections_per_address: 0, handshakes_per_address: 0 }}\n\
         listeners:\n  - {{ bind: \"127.0.0.1:19380\" }}\n  - {{ bind: \"127.0.0.1:19343\", tls: true }}\n\
         tls:\n  certificates:\n    - {{ cert: {folder}/localhost.pem, key: {folder}/localhost.key }}\n"
    )
}
