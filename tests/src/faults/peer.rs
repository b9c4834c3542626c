//! What other proxies have in common: a folder, an authority, a child process and where it listens.

use crate::Authority;
use crate::client::Door;
use crate::edge::NAMES;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The folder of a proxy that is not started yet.
pub(super) struct Place {
    pub(super) https: SocketAddr,
    authority: Authority,
    folder: TempDir,
}

impl Place {
    /// A folder with a certificate and its key in `www.pem`.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new(folder.path());
        authority.write(&folder.path().join("www.pem"), NAMES);
        Self { https: ([127, 0, 0, 1], crate::port()).into(), authority, folder }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn door(&self) -> Door {
        Door { https: self.https, authority: self.authority.pem() }
    }

    /// A new certificate in `www.pem`; its bytes.
    pub(super) fn renew(&self) -> Vec<u8> {
        self.authority.write(&self.file("www.pem"), NAMES)
    }

    /// Starts a program here: its words and surroundings, and then its arguments.
    pub(super) fn spawn(&self, words: &[OsString], arguments: &[&str]) -> Running {
        let (first, rest) = words.split_first().expect("a program");
        let log = fs::File::create(self.file("log")).expect("own folder");
        let child = Command::new(first)
            .args(rest)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        Running { child }
    }

    pub(super) fn whole_log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// The last that it said.
    pub(super) fn log(&self) -> String {
        let text = self.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// A process that ends with its owner.
pub(super) struct Running {
    child: Child,
}

impl Running {
    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill is there");
        assert!(status.success(), "{pid} is gone");
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }
}

impl Drop for Running {
    /// By SIGTERM first: a master that is killed leaves its workers behind.
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal("TERM");
            for _ in 0..100 {
                if self.has_ended() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
