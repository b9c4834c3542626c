//! The order of the program's functions: those that run first, so that they share pages of memory. `crates/nearside/order.txt` holds
//! it, and each release build is put together by it.

mod calls;

use crate::process;
use crate::server::Server;
use crate::site::Site;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const ORDER: &str = "crates/nearside/order.txt";

/// How long the program may take for a step: it runs at a fiftieth of its speed.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long it is left to itself, so that what runs now and then runs too.
const REST: Duration = Duration::from_secs(15);

/// Builds the program, notes which functions run from its start through some load and a reload, and builds it anew by that.
///
/// # Errors
/// When a tool is missing, or something fails.
pub(crate) fn run() -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build, Need::Order])?;
    let before = fs::read_to_string(root.join(ORDER)).unwrap_or_default();
    let before: HashSet<&str> = before.lines().collect();
    let program = built(&root)?;
    let functions = Watched::start(&program)?.functions()?;
    let known = functions.iter().filter(|name| before.contains(name.as_str())).count();
    fs::write(root.join(ORDER), functions.join("\n") + "\n")
        .with_context(|| format!("cannot write {ORDER}"))?;
    println!("{ORDER}: {} functions run, of which it had {known}", functions.len());
    built(&root).map(drop)
}

/// The program, built for release without a profile: which functions run hangs little on it, and it takes half the time.
fn built(root: &Path) -> Result<PathBuf> {
    let words = ["build", "--release", "--locked", "--package", "nearside", "--bin", "nearside"];
    process::run(process::cargo(root).args(words))?;
    Ok(process::target(root)?.join("release/nearside"))
}

/// The program under callgrind.
struct Watched {
    program: PathBuf,
    edge: Server,
    site: Site,
}

impl Watched {
    fn start(program: &Path) -> Result<Self> {
        let site = Site::make("order", program)?;
        let mut valgrind = Command::new(tools::find("valgrind").context("valgrind is missing")?);
        valgrind.args(["--quiet", "--tool=callgrind", "--demangle=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", site.path("calls").display())).arg(program);
        let edge = site.serve(&mut valgrind)?;
        let watched = Self { program: program.to_owned(), edge, site };
        watched.until("it serves", |generation| !generation.is_empty())?;
        Ok(watched)
    }

    /// The functions of the program that run, those that cost most first.
    fn functions(&self) -> Result<Vec<String>> {
        let Site { plain, tls, .. } = self.site;
        let first = generation(plain)?;
        let (plain, tls) = (format!("http://localhost:{plain}/"), format!("https://localhost:{tls}/"));
        for words in [["--h1", "-c4", &plain], ["--h1", "-c4", &tls], ["-m16", "-c2", &tls]] {
            process::run_quietly(Command::new("h2load").arg("-n300").args(words))?;
        }
        self.site.change()?;
        self.until("it has reloaded", |generation| generation != first)?;
        std::thread::sleep(REST);
        let mut status = Command::new(&self.program);
        process::run_quietly(status.args(["status", "--state-dir"]).arg(self.site.path("state")))?;
        for pid in self.edge.workers()? {
            process::run_quietly(Command::new("callgrind_control").arg("--dump").arg(pid.to_string()))?;
        }
        // callgrind does not always survive that its program handles a signal.
        self.edge.signal("KILL")?;
        let told = fs::read_to_string(self.site.path("calls.1")).context("callgrind left nothing")?;
        Ok(calls::functions(&told, &self.program.to_string_lossy()))
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if generation(self.site.plain).is_ok_and(|generation| is(&generation)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("waited in vain until {what}")
    }
}

/// The generation that answers a request.
fn generation(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let named = |line: &str| {
        line.split_once(": ")
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-nearside-gen"))
            .map(|(_, value)| value.to_owned())
    };
    answer.lines().find_map(named).context("an answer without a generation")
}
