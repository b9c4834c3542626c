//! What a process has cost: instructions where the machine counts them, CPU time elsewhere; or, when asked, instructions in
//! user space, which valgrind counts on every machine, or all of them in an emulated one.

use super::perf::Perf;
use crate::process;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How cost is measured here.
pub(super) enum Meter {
    /// By `perf stat`, user and kernel together.
    Instructions,
    /// By the scheduler's account of every thread.
    CpuTime,
    /// By the same account inside an emulated machine, in which an instruction takes a nanosecond: user and kernel together.
    Emulated,
    /// By callgrind, which leaves its counts in this folder: user space alone, and the same to a percent whatever else the
    /// machine does, at a fiftieth of the speed.
    Callgrind(PathBuf),
}

/// A measurement under way.
pub(super) enum Reading {
    Perf { perf: Perf, counts: PathBuf },
    Scheduler { pids: Vec<u32>, before: f64, nanos: f64 },
    Callgrind { pids: Vec<u32>, folder: PathBuf },
}

/// How the names of callgrind's files begin.
const COUNTS: &str = "callgrind.";

const EVENTS: &str = "instructions:u,instructions:k";

impl Meter {
    /// Instructions, unless perf cannot count them here.
    pub(super) fn of_this_machine() -> Self {
        let told = Command::new("perf").args(["stat", "-x,", "-e", EVENTS, "true"]).output();
        let counts =
            told.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
        if sum(&counts).is_ok() { Self::Instructions } else { Self::CpuTime }
    }

    pub(super) fn unit(&self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::CpuTime => "CPU microseconds",
            Self::Emulated => "instructions, emulated",
            Self::Callgrind(_) => "user instructions",
        }
    }

    /// The command by which a process can be measured; callgrind is talked to in a single one only, so without the argument
    /// `many` and with those of `alone`.
    pub(super) fn prepare(&self, command: Command, many: &str, alone: &[&str]) -> Command {
        let Self::Callgrind(folder) = self else { return command };
        let mut counted = Command::new("valgrind");
        counted.args(["--quiet", "--tool=callgrind", "--instr-atstart=no"]);
        counted.arg(format!("--callgrind-out-file={}/{COUNTS}%p", folder.display()));
        counted.arg(command.get_program()).args(alone);
        counted.args(command.get_args().filter(|word| *word != many));
        counted.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        counted
    }

    /// Starts to measure these processes.
    pub(super) fn begin(&self, pids: &[u32]) -> Result<Reading> {
        match self {
            Self::Instructions => {}
            Self::CpuTime => return Reading::of_scheduler(pids, 1000.0),
            Self::Emulated => return Reading::of_scheduler(pids, 1.0),
            Self::Callgrind(folder) => {
                callgrind(&["-i", "on"], pids)?;
                return Ok(Reading::Callgrind { pids: pids.to_vec(), folder: folder.clone() });
            }
        }
        let counts = std::env::temp_dir().join(format!("nearside-perf-{}.csv", std::process::id()));
        let perf = Perf::watch(&["stat", "-x,", "-e", EVENTS], pids, &counts)?;
        Ok(Reading::Perf { perf, counts })
    }
}

impl Reading {
    /// Of the scheduler's account, in a unit of so many nanoseconds.
    fn of_scheduler(pids: &[u32], nanos: f64) -> Result<Self> {
        Ok(Self::Scheduler { pids: pids.to_vec(), before: on_processor(pids)?, nanos })
    }

    /// What was spent since the beginning, in the meter's unit.
    pub(super) fn end(self) -> Result<f64> {
        match self {
            Self::Scheduler { pids, before, nanos } => Ok((on_processor(&pids)? - before) / nanos),
            Self::Callgrind { pids, folder } => {
                callgrind(&["-i", "off"], &pids)?;
                callgrind(&["-d"], &pids)?;
                totals(&folder)
            }
            Self::Perf { perf, counts } => {
                perf.end()?;
                let text = fs::read_to_string(&counts).context("perf left no counts")?;
                drop(fs::remove_file(&counts));
                sum(&text)
            }
        }
    }
}

/// Tells callgrind in these processes what to do, and waits until it is done.
fn callgrind(orders: &[&str], pids: &[u32]) -> Result<()> {
    let pids = pids.iter().map(u32::to_string);
    process::run_quietly(Command::new("callgrind_control").args(orders).args(pids))
}

/// The sum of what callgrind has left in the folder, which is taken away.
fn totals(folder: &Path) -> Result<f64> {
    let mut sum = None;
    for entry in fs::read_dir(folder).context("callgrind left nothing")?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(COUNTS) {
            continue;
        }
        let text = fs::read_to_string(entry.path()).context("cannot read what callgrind left")?;
        for total in text.lines().filter_map(|line| line.strip_prefix("totals: ")) {
            sum = Some(sum.unwrap_or(0.0) + total.trim().parse::<f64>().context("no number")?);
        }
        drop(fs::remove_file(entry.path()));
    }
    sum.context("callgrind counted nothing")
}

/// The sum of what perf counted.
fn sum(text: &str) -> Result<f64> {
    let lines = text.lines().filter(|line| line.contains("instructions:"));
    let counts = lines.map(|line| line.split(',').next().unwrap_or_default().parse::<f64>());
    let counts: Vec<f64> = counts.collect::<Result<_, _>>().context("perf cannot count instructions here")?;
    (!counts.is_empty()).then(|| counts.iter().sum()).context("perf counted nothing")
}

/// CPU time of all threads in nanoseconds (Documentation/scheduler/sched-stats).
fn on_processor(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")?;
        for task in tasks.flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanos = text.split_whitespace().next().unwrap_or("0");
            sum += nanos.parse::<f64>().with_context(|| format!("no number: {nanos:?}"))?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_and_what_cannot_be_counted_is_told() {
        let counted = "1000,,instructions:u,5,100.00,,\n2000,,instructions:k,5,100.00,,\n";
        assert!((sum(counted).unwrap() - 3000.0).abs() < 1.0);
        assert!(sum("<not supported>,,instructions:u,0,100.00,,\n").is_err());
        assert!(sum("").is_err());
    }

    #[test]
    fn what_callgrind_left_is_summed_once() {
        let folder = std::env::temp_dir().join(format!("nearside-totals-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [
            ("callgrind.7.1", "summary: 9\ntotals: 1000\n"),
            ("callgrind.8.1", "totals: 5\n"),
            ("other", "totals: 1\n"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        assert!((totals(&folder).unwrap() - 1005.0).abs() < 0.1);
        assert!(totals(&folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_process_that_works_has_spent_time() {
        let own = [std::process::id()];
        let before = on_processor(&own).unwrap();
        let spent = (0..20_000_000_u64).fold(0_u64, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
        assert!(on_processor(&own).unwrap() > before, "{spent}");
    }
}
