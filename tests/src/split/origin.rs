//! A backend on its host: the sample backend, over TLS.

use super::PORT;
use crate::Authority;
use crate::client::HOST;
use crate::wan::Lab;
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The port of the one that gets killed; the others have [`PORT`].
const FRAGILE: u16 = 444;

pub(super) struct Origin {
    pub(super) address: SocketAddr,
    host: String,
    words: Vec<OsString>,
    child: Child,
}

impl Origin {
    /// Starts the backend `name` on `host`.
    pub(super) fn start(
        lab: &Lab,
        program: &Path,
        (host, name): (&str, &str),
        (folder, authority): (&Path, &Authority),
    ) -> Self {
        let port = if name == "first" { FRAGILE } else { PORT };
        let address = SocketAddr::from((lab.address(host), port));
        let (certificate, key) = authority.sign(&[HOST, &address.ip().to_string()]);
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, format!("{certificate}{key}")).expect("own folder");
        let mut words = lab.on(host);
        let arguments =
            ["sample", "--name", name, "--region", name, "--bind", &address.to_string(), "--cert"];
        words.push(program.into());
        words.extend(arguments.map(OsString::from));
        words.push(file.into());
        let child = spawn(&words);
        let origin = Self { address, host: host.to_owned(), words, child };
        origin.listens(lab);
        origin
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().expect("our child");
        drop(self.child.wait());
    }

    /// Starts it once more.
    pub(super) fn again(&mut self, lab: &Lab) {
        self.child = spawn(&self.words);
        self.listens(lab);
    }

    fn listens(&self, lab: &Lab) {
        let begin = Instant::now();
        while lab.within(&self.host, || TcpStream::connect(self.address).is_err()) {
            assert!(begin.elapsed() < Duration::from_secs(20), "a backend that listens");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// It ends when its standard input does, should we be killed.
fn spawn(words: &[OsString]) -> Child {
    let (program, arguments) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts")
}
