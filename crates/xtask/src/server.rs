//! A server that a tool runs for a while.

use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A process with room for many descriptors; dropping it asks it to end, and waits for a moment.
pub(crate) struct Server(Child);

impl Server {
    /// Starts the command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let mut roomy = process::roomy(&program);
        roomy
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        roomy.stdin(Stdio::null()).stdout(Stdio::null());
        let child = roomy.spawn().with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        Ok(Self(child))
    }

    /// The processes that carry requests: the child's own children where it has some.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn workers(&self) -> Result<Vec<u32>> {
        let children = self.children()?;
        Ok(if children.is_empty() { vec![self.0.id()] } else { children })
    }

    /// All its processes.
    ///
    /// # Errors
    /// When the process is gone.
    pub(crate) fn all(&self) -> Result<Vec<u32>> {
        let mut all = self.children()?;
        all.push(self.0.id());
        Ok(all)
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        process::run_quietly(Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]))
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// When it is gone already, or ends otherwise than well.
    pub(crate) fn end(mut self) -> Result<()> {
        self.signal("TERM")?;
        let status = self.0.wait().context("nobody can wait for it")?;
        if status.success() { Ok(()) } else { bail!("it ended with {status}") }
    }

    fn children(&self) -> Result<Vec<u32>> {
        let own = self.0.id();
        let path = format!("/proc/{own}/task/{own}/children");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its workers only when asked politely; pingora goes on for minutes.
        drop(self.signal("TERM"));
        for _ in 0..100 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until somebody listens on the port.
///
/// # Errors
/// When nobody does within a quarter of a minute.
pub(crate) fn wait_for(port: u16) -> Result<()> {
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("nobody listens on port {port}")
}
