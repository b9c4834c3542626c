//! A proxy in a scene: nearside, or one that it is measured against, each told in its own way.

use super::setup::Setup;
use super::{envoy, haproxy, nearside, nginx};
use crate::client::Door;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which proxy, and its program.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `nearside`.
    Nearside(PathBuf),
    /// nginx.
    Nginx(PathBuf),
    /// HAProxy.
    Haproxy(PathBuf),
    /// Envoy.
    Envoy(PathBuf),
}

/// What a process may have, and what it sees.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// At most so many descriptors; otherwise as many as may be had.
    pub descriptors: Option<u32>,
    /// A file that it sees as `/etc/resolv.conf`.
    pub resolv_conf: Option<PathBuf>,
}

/// A running proxy; dropping it ends it.
pub trait Proxy: Send + Sync {
    /// Where clients come in.
    fn door(&self) -> Door;
    /// Takes over another configuration, in the proxy's own way. It need not be in force when this returns.
    fn apply(&mut self, setup: &Setup);
    /// Puts a file there that is wrong, and has it read.
    fn spoil(&mut self);
    /// Replaces the certificate; the new one's bytes.
    fn renew(&mut self) -> Vec<u8>;
    /// Has another process take its place, and returns once that serves.
    fn upgrade(&mut self);
    /// Tells it to end (SIGTERM).
    fn terminate(&mut self);
    /// Whether it has ended.
    fn has_ended(&mut self) -> bool;
    /// What it said of itself.
    fn log(&self) -> String;
}

impl Kind {
    /// Its name in tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nearside(_) => "nearside",
            Self::Nginx(_) => "nginx",
            Self::Haproxy(_) => "haproxy",
            Self::Envoy(_) => "envoy",
        }
    }

    /// Starts it and waits until it serves.
    pub async fn start(&self, setup: &Setup, surroundings: &Surroundings) -> Box<dyn Proxy> {
        let mut proxy: Box<dyn Proxy> = match self {
            Self::Nearside(program) => Box::new(nearside::start(program, setup, surroundings).await),
            Self::Nginx(program) => Box::new(nginx::start(program, setup, surroundings)),
            Self::Haproxy(program) => Box::new(haproxy::start(program, setup, surroundings)),
            Self::Envoy(program) => Box::new(envoy::start(program, setup, surroundings)),
        };
        let door = proxy.door();
        let client = door.client(true).timeout(Duration::from_secs(1)).build().expect("a client");
        crate::eventually(&format!("{} that serves", self.name()), async || {
            assert!(!proxy.has_ended(), "{} has ended: {}", self.name(), proxy.log());
            let answer = client.get(door.url("/")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        proxy
    }
}

impl Surroundings {
    /// The words that start `program` in these surroundings; its own arguments follow.
    #[must_use]
    pub fn words(&self, program: &Path) -> Vec<OsString> {
        let limit = self
            .descriptors
            .map_or_else(|| "$(ulimit -Hn)".to_owned(), |descriptors| descriptors.to_string());
        let mut words: Vec<OsString> = Vec::new();
        if let Some(file) = &self.resolv_conf {
            // In a name space of its own for mounts the machine's file stays as it is.
            let mount = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
            words.extend(["unshare", "--mount", "sh", "-c", mount].map(OsString::from));
            words.push(file.into());
        }
        words.extend(["sh", "-c"].map(OsString::from));
        words.push(format!("ulimit -n {limit}; exec \"$0\" \"$@\"").into());
        words.push(program.into());
        words
    }
}

/// Writes a file whole at once, so that whoever watches it never reads half of it.
pub(super) fn replace(file: &Path, text: &str) {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, text).expect("own folder");
    fs::rename(&fresh, file).expect("one folder");
}
