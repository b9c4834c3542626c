//! A small site by which the program is watched at work: a backend, and a file that names it.

use crate::folder::Folder;
use crate::server::{Server, wait_for};
use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The site; dropping it ends its backend and removes its folder.
pub(crate) struct Site {
    /// The port without TLS.
    pub(crate) plain: u16,
    /// The port with TLS.
    pub(crate) tls: u16,
    _backend: Server,
    folder: Folder,
}

impl Site {
    /// Writes the file and starts the backend, which is the sample of `program`.
    ///
    /// # Errors
    /// When no port is free, or the backend does not start.
    pub(crate) fn make(purpose: &str, program: &Path) -> Result<Self> {
        let folder = Folder::make(purpose)?;
        let [plain, tls, backend] = ports()?;
        let text = format!(
            "version: 1\nobserve: {{ access_log: {{ sample: 50% }} }}\nregions: {{ here: {{}} }}\n\
             pools: {{ web: {{ backends: [ {{ url: \"http://127.0.0.1:{backend}\", region: here }} ] }} }}\n\
             routes: [ {{ host: localhost, pool: web }} ]\n\
             limits: {{ connections_per_address: 0, handshakes_per_address: 0, queue_delay: 0s }}\n\
             listeners: [ {{ bind: \"127.0.0.1:{plain}\" }}, {{ bind: \"127.0.0.1:{tls}\", tls: true }} ]\n\
             tls: {{ self_signed: true }}\n"
        );
        fs::write(folder.path().join("routes.yaml"), text).context("cannot write routes.yaml")?;
        let mut sample = Command::new(program);
        // What it does itself is nobody's concern, should its steps be counted.
        sample.env("LLVM_PROFILE_FILE", "/dev/null");
        sample.args(["sample", "--name", "a", "--region", "here", "--bind", &format!("127.0.0.1:{backend}")]);
        let sample = Server::start(&mut sample)?;
        wait_for(backend)?;
        Ok(Self { plain, tls, _backend: sample, folder })
    }

    /// A file or folder of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets `command`, which ends in the program, serve the site by one thread.
    pub(crate) fn serve(&self, command: &mut Command) -> Result<Server> {
        command.args(["run", "--threads", "1", "--state-dir"]).arg(self.path("state"));
        Server::start(command.arg(self.path("routes.yaml")).env("NEARSIDE_LOG", "error"))
    }

    /// Changes the file, so that another generation comes of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn change(&self) -> Result<()> {
        let mut file = fs::File::options().append(true).open(self.path("routes.yaml"))?;
        file.write_all(b"# another generation\n").context("cannot change routes.yaml")
    }
}

/// Ports that nobody listens on.
fn ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut ports = [0; COUNT];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
