//! Backends as processes of their own, so that they can be killed for good.

use nearside_sample::{Arrival, Ledger};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A sample backend in a child process.
pub struct Process {
    /// Where it listens.
    pub address: SocketAddr,
    ledger: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `name` in `region` and waits until it listens. What reaches it stands in a ledger in `folder`.
    pub async fn start(folder: &Path, name: &str, region: &str) -> Self {
        let address: SocketAddr = ([127, 0, 0, 1], crate::port()).into();
        let ledger = folder.join(format!("{name}.ledger"));
        let child = Command::new(crate::program())
            .args(["sample", "--bind", &address.to_string(), "--name", name, "--region", region, "--ledger"])
            .arg(&ledger)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        crate::eventually("a sample backend", async || tokio::net::TcpStream::connect(address).await.ok())
            .await;
        Self { address, ledger, child }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What reached it.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        Ledger::read(&self.ledger).unwrap_or_default()
    }

    /// What reached it, probes left out.
    #[must_use]
    pub fn requests(&self) -> Vec<Arrival> {
        self.arrivals().into_iter().filter(|arrival| !arrival.probe).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Kills all of them (SIGKILL) in one call, so that they die in the same millisecond.
pub fn kill(processes: &[&Process]) {
    let pids = processes.iter().map(|process| process.pid().to_string());
    let status = Command::new("kill").arg("-KILL").args(pids).status().expect("kill is there");
    assert!(status.success());
}
