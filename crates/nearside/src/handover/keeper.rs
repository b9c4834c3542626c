//! The keeper: the process that somebody started stays until the last of its successors has ended.
//!
//! A shell, a container's init or a supervisor watches the process that it started, and takes its end for the end of the
//! service. systemd is told which process is the main one; everybody else finds the first one still there: it passes
//! signals on, and ends as its last successor does.

use crate::{client, systemd};
use nearside_telemetry::field;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};
use serde_json::Value;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// Where this process stands among those that serve one after the other.
#[derive(Debug)]
pub(crate) struct Family {
    folder: PathBuf,
    has_keeper: bool,
    successor: AtomicI32,
}

impl Family {
    /// The family that serves with this state folder; it may have a keeper already.
    pub(crate) fn new(folder: PathBuf, has_keeper: bool) -> Self {
        Self { folder, has_keeper, successor: AtomicI32::new(0) }
    }

    /// Whether somebody stays for those who watch the first process.
    pub(crate) fn is_kept(&self) -> bool {
        self.has_keeper || self.stays()
    }

    /// Whether this process stays after it has handed over.
    pub(crate) fn stays(&self) -> bool {
        !self.has_keeper && !systemd::is_there()
    }

    /// To be called before the first child: its own children are to come here when it ends.
    pub(crate) fn adopt(&self) {
        if self.stays()
            && let Err(cause) = set_child_subreaper(Pid::from_raw(1))
        {
            warn!({ field::CAUSE } = %cause, "cannot stay for later successors");
        }
    }

    /// Notes the process that has taken over.
    pub(crate) fn succeeded_by(&self, pid: u32) {
        self.successor.store(i32::try_from(pid).unwrap_or(0), Ordering::Relaxed);
    }

    /// Passes a signal on to the process that serves now, where this one stays for it.
    pub(crate) fn pass(&self, signal: Signal) {
        // Ctrl-C reaches every process of a terminal's job by itself.
        if !self.stays() || signal == Signal::INT && io::stdin().is_terminal() {
            return;
        }
        let serving = client::status(&self.folder).ok().flatten();
        let serving = serving.as_ref().and_then(|status| status.get("pid")).and_then(Value::as_i64);
        let serving = serving.and_then(|pid| i32::try_from(pid).ok());
        send(serving.unwrap_or_else(|| self.successor.load(Ordering::Relaxed)), signal);
    }

    /// Tells the process that has taken over to end too.
    pub(crate) fn end(&self) {
        send(self.successor.load(Ordering::Relaxed), Signal::TERM);
    }

    /// Waits until all successors have ended; whether all of them ended well.
    ///
    /// # Errors
    /// Signals cannot be received.
    pub(crate) fn keep(&self) -> io::Result<bool> {
        info!("staying until the successor ends");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut children = signal(SignalKind::child())?;
            let mut hangups = signal(SignalKind::hangup())?;
            let mut rotations = signal(SignalKind::user_defined1())?;
            let (mut terms, mut ints) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let mut well = true;
            loop {
                loop {
                    match wait(WaitOptions::NOHANG) {
                        Ok(Some((pid, status))) => {
                            well &= status.exit_status() == Some(0);
                            // Its number may be another process's soon.
                            if self.successor.load(Ordering::Relaxed) == pid.as_raw_nonzero().get() {
                                self.successor.store(0, Ordering::Relaxed);
                            }
                        }
                        Ok(None) => break,
                        // There is none left.
                        Err(_) => return Ok(well),
                    }
                }
                tokio::select! {
                    _ = children.recv() => {}
                    _ = terms.recv() => self.pass(Signal::TERM),
                    _ = ints.recv() => self.pass(Signal::INT),
                    _ = hangups.recv() => self.pass(Signal::HUP),
                    _ = rotations.recv() => self.pass(Signal::USR1),
                }
            }
        })
    }
}

fn send(to: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(to) {
        // It may have ended just now.
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(cause) => warn!({ field::CAUSE } = %cause, "cannot pass a signal on"),
        }
    }
}
