//! What all proxies of a comparison share: one origin, one certificate, one folder.

use crate::folder::Folder;
use crate::process;
use crate::server::{Server, wait_for};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the origin listens.
pub(super) const ORIGIN: u16 = 19_180;
/// What the origin's helper listens on, which answers once an upload has arrived whole.
const TAKEN: u16 = 19_181;
/// Hosts of a large configuration.
pub(super) const MANY: usize = 10_000;
/// The file that names a thousand of them for the client.
pub(super) const HOSTS: &str = "hosts.txt";

/// The folder with all files, and the origin; dropping it ends and removes both.
pub(super) struct Setup {
    tools: PathBuf,
    _origin: Server,
    folder: Folder,
}

impl Setup {
    /// Writes the files and starts the origin; `target` is where cargo puts what it builds.
    ///
    /// # Errors
    /// When a tool is missing or the origin does not start.
    pub(super) fn start(target: &Path) -> Result<Self> {
        let gone = Folder::make("compare")?;
        let folder = gone.path();
        certificate(folder)?;
        fs::write(folder.join("megabyte"), vec![b'u'; 1_000_000]).context("cannot write the upload")?;
        fs::write(folder.join("10m"), vec![b'd'; 10_000_000]).context("cannot write the download")?;
        fs::write(folder.join(HOSTS), hosts()?).context("cannot write the hosts")?;
        fs::write(folder.join("origin.conf"), origin(folder)).context("cannot write origin.conf")?;
        let mut command = Command::new(crate::tools::find("nginx").context("nginx is missing")?);
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("origin.conf"));
        let origin = Server::start(&mut command)?;
        wait_for(ORIGIN)?;
        Ok(Self { tools: target.join("release"), _origin: origin, folder: gone })
    }

    /// A file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder, as configurations write it.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One of our own measuring programs.
    pub(super) fn tool(&self, name: &str) -> PathBuf {
        self.tools.join(name)
    }

    /// Writes a configuration.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path(name), text).with_context(|| format!("cannot write {name}"))
    }
}

/// The name of one of many hosts.
pub(super) fn host(index: usize) -> String {
    format!("h{index}.example")
}

/// A thousand of the hosts, as the client reads them.
fn hosts() -> Result<String> {
    let mut text = String::new();
    for index in (0..MANY).step_by(10) {
        writeln!(text, "http://{}/", host(index))?;
    }
    Ok(text)
}

fn certificate(folder: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    command.args(["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    command.arg("-keyout").arg(folder.join("localhost.key")).arg("-out").arg(folder.join("localhost.pem"));
    process::run_quietly(command.stdin(Stdio::null()))?;
    // HAProxy reads both from one file.
    let read = |name: &str| fs::read_to_string(folder.join(name)).with_context(|| format!("no {name}"));
    let both = read("localhost.pem")? + &read("localhost.key")?;
    fs::write(folder.join("both.pem"), both).context("cannot write both.pem")
}

/// An upload is answered once it is there whole: a buffering hop in front of a helper sees to that.
fn origin(folder: &Path) -> String {
    let body = "0123456789abcdef".repeat(64);
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid origin.pid; error_log stderr crit;\n\
         events {{ worker_connections 20000; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300s; sendfile on;\n\
         client_max_body_size 20m; client_body_buffer_size 2m;\n\
         upstream taken {{ server 127.0.0.1:{TAKEN}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{TAKEN}; location / {{ return 200 \"taken\"; }} }}\n\
         server {{ listen 127.0.0.1:{ORIGIN}; listen 127.0.0.2:{ORIGIN}; listen 127.0.0.3:{ORIGIN}; default_type text/plain; location / {{ return 200 \"{body}\"; }}\n\
         location = /10m {{ root {folder}; }}\n\
         location = /upload {{ proxy_pass http://taken; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_pass_request_body off; proxy_set_header Content-Length \"\"; }} }} }}\n"
    )
}
