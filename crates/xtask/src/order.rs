//! The order of the program's functions: those that run first, so that they share pages of memory. `crates/nearside/order.txt` holds
//! it, and each release build is put together by it.

mod calls;

use crate::folder::Folder;
use crate::package;
use crate::process;
use crate::server::{Server, wait_for};
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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
    let program = package::built(&root)?;
    let functions = Watched::start(&program)?.functions()?;
    let known = functions.iter().filter(|name| before.contains(name.as_str())).count();
    fs::write(root.join(ORDER), functions.join("\n") + "\n")
        .with_context(|| format!("cannot write {ORDER}"))?;
    println!("{ORDER}: {} functions run, of which it had {known}", functions.len());
    package::built(&root).map(drop)
}

/// The program under callgrind, before a backend.
struct Watched {
    program: PathBuf,
    plain: u16,
    tls: u16,
    edge: Server,
    _backend: Server,
    folder: Folder,
}

impl Watched {
    fn start(program: &Path) -> Result<Self> {
        let folder = Folder::make("order")?;
        let [plain, tls, backend] = ports()?;
        let text = format!(
            "version: 1\nregions: {{ here: {{}} }}\n\
             pools: {{ web: {{ backends: [ {{ url: \"http://127.0.0.1:{backend}\", region: here }} ] }} }}\n\
             routes: [ {{ host: localhost, pool: web }} ]\n\
             listeners: [ {{ bind: \"127.0.0.1:{plain}\" }}, {{ bind: \"127.0.0.1:{tls}\", tls: true }} ]\n\
             tls: {{ self_signed: true }}\n"
        );
        let file = folder.path().join("routes.yaml");
        fs::write(&file, text).context("cannot write routes.yaml")?;
        let mut sample = Command::new(program);
        sample.args(["sample", "--name", "a", "--region", "here", "--bind", &format!("127.0.0.1:{backend}")]);
        let sample = Server::start(&mut sample)?;
        wait_for(backend)?;
        let mut valgrind = Command::new(tools::find("valgrind").context("valgrind is missing")?);
        valgrind.args(["--quiet", "--tool=callgrind", "--demangle=no"]);
        valgrind.arg(format!("--callgrind-out-file={}", folder.path().join("calls").display())).arg(program);
        valgrind.args(["run", "--threads", "1", "--state-dir"]).arg(folder.path().join("state")).arg(&file);
        let edge = Server::start(valgrind.env("NEARSIDE_LOG", "error"))?;
        let watched = Self { program: program.to_owned(), plain, tls, edge, _backend: sample, folder };
        watched.until("it serves", |generation| !generation.is_empty())?;
        Ok(watched)
    }

    /// The functions of the program that run, those that cost most first.
    fn functions(&self) -> Result<Vec<String>> {
        let first = generation(self.plain)?;
        let (plain, tls) =
            (format!("http://localhost:{}/", self.plain), format!("https://localhost:{}/", self.tls));
        for words in [["--h1", "-c4", &plain], ["--h1", "-c4", &tls], ["-m16", "-c2", &tls]] {
            process::run_quietly(Command::new("h2load").arg("-n300").args(words))?;
        }
        let mut file = fs::File::options().append(true).open(self.folder.path().join("routes.yaml"))?;
        file.write_all(b"# another generation\n").context("cannot change routes.yaml")?;
        drop(file);
        self.until("it has reloaded", |generation| generation != first)?;
        std::thread::sleep(REST);
        let mut status = Command::new(&self.program);
        process::run_quietly(status.args(["status", "--state-dir"]).arg(self.folder.path().join("state")))?;
        for pid in self.edge.workers()? {
            process::run_quietly(Command::new("callgrind_control").arg("--dump").arg(pid.to_string()))?;
        }
        // callgrind does not always survive that its program handles a signal.
        self.edge.signal("KILL")?;
        let told =
            fs::read_to_string(self.folder.path().join("calls.1")).context("callgrind left nothing")?;
        Ok(calls::functions(&told, &self.program.to_string_lossy()))
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if generation(self.plain).is_ok_and(|generation| is(&generation)) {
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

/// Ports that nobody listens on.
fn ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut ports = [0; COUNT];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
