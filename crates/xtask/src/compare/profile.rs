//! Where the instructions of a load go, in user space and in the kernel: a report by perf, function by function. It is taken in the
//! emulated machine, whose clock is the count of instructions, so that samples of time are samples of instructions.

use super::perf::Perf;
use crate::process;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where in the shared folder the reports are.
pub(super) const FOLDER: &str = "profiles";
/// Samples a second: one for each 50,000 instructions.
const RATE: &str = "20000";
/// The least share that is told, in percent.
const LEAST: &str = "0.1";

/// Takes reports.
pub(super) struct Profile {
    folder: PathBuf,
}

impl Profile {
    /// Leaves its reports in this folder.
    ///
    /// # Errors
    /// When it cannot be made, or the kernel tells no names.
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write("/proc/sys/kernel/kptr_restrict", "0").context("the kernel's names are hidden")?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Samples these processes while `load` lasts.
    ///
    /// # Errors
    /// When perf fails or the load does.
    pub(super) fn take(&self, name: &str, pids: &[u32], load: impl FnOnce() -> Result<()>) -> Result<()> {
        let samples = std::env::temp_dir().join("perf.data");
        let perf = Perf::watch(&["record", "-q", "-e", "cpu-clock", "-F", RATE], pids, &samples)?;
        load()?;
        perf.end()?;
        let mut report = Command::new("perf");
        report.args(["report", "--stdio", "-q", "--sort", "dso,symbol", "--percent-limit", LEAST, "-i"]);
        let told = process::output(report.arg(&samples))?;
        // Columns that a clock cannot fill stand empty behind the names.
        let told: String =
            told.lines().map(|line| format!("{}\n", line.trim_end_matches([' ', '-']))).collect();
        let file = self.folder.join(format!("{name}.txt"));
        fs::write(&file, told).with_context(|| format!("cannot write {}", file.display()))
    }
}
