//! Backends as processes of their own, so that they can be killed for good.

use nearside_sample::{Arrival, Ledger};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A sample backend in a child process.
pub struct Process {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it calls itself.
    pub name: String,
    /// Its region.
    pub region: String,
    program: PathBuf,
    ledger: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `name` in `region` and waits until it listens. What reaches it stands in a ledger in `folder`.
    pub async fn start(folder: &Path, name: &str, region: &str) -> Self {
        Self::of(&crate::program(), folder, name, region).await
    }

    /// The same, as a child of this program `nearside`.
    pub async fn of(program: &Path, folder: &Path, name: &str, region: &str) -> Self {
        let address: SocketAddr = ([127, 0, 0, 1], crate::port()).into();
        let ledger = folder.join(format!("{name}.ledger"));
        let child = spawn(program, address, [name, region], &ledger);
        let [name, region] = [name, region].map(str::to_owned);
        let process = Self { address, name, region, program: program.to_owned(), ledger, child };
        process.listens().await;
        process
    }

    /// Starts it once more where it was, after it was killed; its ledger goes on.
    pub async fn again(&mut self) {
        drop(self.child.wait());
        self.child = spawn(&self.program, self.address, [&self.name, &self.region], &self.ledger);
        self.listens().await;
    }

    async fn listens(&self) {
        let connect = async || tokio::net::TcpStream::connect(self.address).await.ok();
        crate::eventually("a sample backend", connect).await;
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

    /// Tells it to misbehave: `fault/drip`, `deaf/1000` and the others that `nearside_sample` lists.
    pub fn control(&self, what: &str) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let head = format!(
            "POST /control/{what} HTTP/1.1\r\nhost: control\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(program: &Path, address: SocketAddr, [name, region]: [&str; 2], ledger: &Path) -> Child {
    Command::new(program)
        .args(["sample", "--bind", &address.to_string(), "--name", name, "--region", region, "--ledger"])
        .arg(ledger)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Kills all of them (SIGKILL) in one call, so that they die in the same millisecond. When that was, until nobody
/// listened any more: what was under way then may have been lost where nobody read it.
pub fn kill(processes: &[&Process]) -> Range<Instant> {
    let start = Instant::now();
    signal("KILL", processes);
    while processes.iter().any(|process| TcpStream::connect(process.address).is_ok()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    start..Instant::now()
}

/// Sends all of them a signal in one call.
pub fn signal(name: &str, processes: &[&Process]) {
    let pids = processes.iter().map(|process| process.pid().to_string());
    let status = Command::new("kill").arg(format!("-{name}")).args(pids).status().expect("kill is there");
    assert!(status.success());
}
