//! perf, watching processes from outside.

use crate::process;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A perf that watches.
pub(super) struct Perf(Child);

impl Perf {
    /// Watches these processes as `arguments` say, and leaves what it finds in the file `into` at its end.
    ///
    /// # Errors
    /// When perf does not start.
    pub(super) fn watch(arguments: &[&str], pids: &[u32], into: &Path) -> Result<Self> {
        let list = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let mut command = Command::new("perf");
        command.args(arguments).args(["-p", &list, "-o"]).arg(into).stdout(Stdio::null());
        let perf = command.spawn().context("cannot start perf")?;
        wait_for(&perf);
        Ok(Self(perf))
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it cannot be told to, or does not end.
    pub(super) fn end(mut self) -> Result<()> {
        process::run_quietly(Command::new("kill").args(["-INT", &self.0.id().to_string()]))?;
        self.0.wait().context("perf did not end").map(drop)
    }
}

/// Waits until perf has its counters open: what it missed would show as too cheap.
fn wait_for(perf: &Child) {
    let folder = format!("/proc/{}/fd", perf.id());
    for _ in 0..500 {
        let attached = fs::read_dir(&folder).into_iter().flatten().flatten().any(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().contains("perf_event"))
        });
        std::thread::sleep(Duration::from_millis(10));
        if attached {
            return;
        }
    }
}
