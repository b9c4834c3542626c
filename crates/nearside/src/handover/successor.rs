//! The successor, as the process that hands over to it sees it.

use super::wire::Wire;
use super::{Answer, Family, Legacy, PROTOCOL, Predecessor, Rest, Serving};
use crate::admin::Listening;
use crate::status::Desk;
use crate::systemd;
use anyhow::Context;
use nearside_proxy::service::{Phase, Shutdown, Sockets};
use nearside_telemetry::field;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

/// How long a successor may take to become ready: names and first verdicts have 15 s, the rest is for a large file.
const READY: Duration = Duration::from_secs(30);
/// How long it may take to begin, once it may.
const BEGIN: Duration = Duration::from_secs(5);
/// How long the end of a process that has said its last is waited for.
const END: Duration = Duration::from_secs(1);
/// How often a successor hears what is still in flight.
const REPORT: Duration = Duration::from_millis(250);
/// How much of what it wrote is told.
const LAST_WORDS: usize = 4096;
/// The argument that makes a process take over.
const TAKE_OVER: &str = "--take-over";

/// The program on disk and its arguments, as this process was started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    /// How long it may take to become ready.
    patience: Duration,
}

impl Program {
    /// What this process was started with; to be asked at its beginning, since the file may be replaced later.
    ///
    /// # Errors
    /// The program cannot be found.
    pub(crate) fn own() -> anyhow::Result<Self> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        // By the name that it was called by: a link may lead to another version by the time of the upgrade, while the
        // path of what runs now leads to this one for ever.
        let path = match called(&name) {
            Some(path) => path,
            None => env::current_exe().context("cannot find this program on disk")?,
        };
        let arguments = arguments.filter(|argument| argument != TAKE_OVER).collect();
        Ok(Self { path, arguments, patience: READY })
    }
}

fn called(name: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return std::path::absolute(path).ok().filter(|path| path.is_file());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(path)).find(|path| path.is_file())
}

/// What this process needs to hand over.
#[derive(Debug)]
pub(crate) struct Succession {
    /// What is started; nothing where this process cannot be replaced.
    pub(crate) program: Option<Program>,
    /// The listeners' sockets.
    pub(crate) sockets: Sockets,
    /// The admin interface's.
    pub(crate) admin: Listening,
    /// Who stays for whom.
    pub(crate) family: Arc<Family>,
    /// The way to the successor; held by the one upgrade at a time.
    pub(crate) heir: tokio::sync::Mutex<Option<Successor>>,
}

/// The process that has taken over.
#[derive(Debug)]
pub(crate) struct Successor(Wire);

impl Succession {
    /// Starts the program on disk, waits until it serves, and leaves everything to it. To be let run to its end: a
    /// successor that has begun must be heard.
    ///
    /// # Errors
    /// Why it did not come to that, for the person who asked; this process goes on as it was.
    pub(crate) async fn upgrade(&self, desk: &Desk) -> Result<Serving, String> {
        if desk.shutdown.phase() != Phase::Running {
            return Err("this process is not serving; `nearside status` says more".to_owned());
        }
        let Ok(mut place) = self.heir.try_lock() else {
            return Err("an upgrade is under way already".to_owned());
        };
        let Some(program) = self.program.clone() else {
            return Err("the demo is not upgraded: end it and start it again".to_owned());
        };
        let estate = self.estate(desk).map_err(|cause| format!("cannot hand sockets over: {cause}"))?;
        self.family.adopt();
        info!(program = %program.path.display(), "upgrade: starting a successor");
        let shutdown = desk.shutdown.clone();
        let started = spawn_blocking(move || start(&program, &estate, &shutdown)).await;
        let (serving, wire) = started.map_err(|cause| cause.to_string()).flatten().inspect_err(|why| {
            error!({ field::CAUSE } = why, "upgrade refused, this process goes on");
        })?;
        let told_to_end = desk.shutdown.phase() != Phase::Running;
        self.family.succeeded_by(serving.pid);
        systemd::main_pid(serving.pid);
        desk.shutdown.hand_over(serving.listeners.clone());
        info!(pid = serving.pid, version = serving.version, "upgraded: what is in flight here may end");
        let successor = Successor(wire);
        successor.tell(desk);
        *place = Some(successor);
        if told_to_end {
            // By a signal that came between the last two words: it is meant for both.
            self.family.end();
        }
        Ok(serving)
    }

    /// Tells the successor what is still in flight here, until nothing is.
    pub(crate) async fn report(&self, desk: &Desk) {
        desk.shutdown.reached(Phase::Closing).await;
        while let Some(successor) = self.heir.lock().await.as_ref() {
            if !successor.tell(desk) {
                return;
            }
            sleep(REPORT).await;
        }
    }

    /// Goes on telling the successor what the processes before this one have in flight, until they have ended too: to be called
    /// once nothing is in flight here.
    pub(crate) fn relay(&self, before: &Predecessor) {
        let heir = self.heir.blocking_lock();
        let Some(successor) = heir.as_ref() else { return };
        while let Some(rest) = before.left() {
            // One that has ended needs to know nothing.
            if successor.send(&rest).is_err() {
                return;
            }
            thread::sleep(REPORT);
        }
    }

    fn estate(&self, desk: &Desk) -> io::Result<Estate> {
        let live = desk.edge.live.load_full();
        let listeners = self.sockets.share()?;
        let mut descriptors: Vec<OwnedFd> =
            vec![io::stderr().as_fd().try_clone_to_owned()?, self.admin.unix.as_fd().try_clone_to_owned()?];
        if let Some((_, socket)) = &self.admin.tcp {
            descriptors.push(socket.as_fd().try_clone_to_owned()?);
        }
        let (addresses, sockets): (Vec<SocketAddr>, Vec<TcpListener>) = listeners.into_iter().unzip();
        descriptors.extend(sockets.into_iter().map(OwnedFd::from));
        let legacy = Legacy {
            protocol: PROTOCOL,
            pid: std::process::id(),
            is_kept: self.family.is_kept(),
            generation: live.generation.stamp.number,
            listeners: addresses,
            admin: self.admin.tcp.as_ref().map(|(address, _)| *address),
            marks: live.evidence.marked().map(|(name, since)| (name.to_owned(), since.as_millis())).collect(),
            memories: live.evidence.memories(),
        };
        Ok(Estate { legacy, descriptors })
    }
}

impl Successor {
    /// Whether it listens.
    fn tell(&self, desk: &Desk) -> bool {
        let told = self.send(&desk.rest());
        told.inspect_err(|cause| error!(cause = %cause, "the successor does not listen")).is_ok()
    }

    fn send(&self, rest: &Rest) -> io::Result<()> {
        self.0.limit(END)?;
        self.0.send(rest)
    }
}

/// Everything that is handed over.
struct Estate {
    legacy: Legacy,
    descriptors: Vec<OwnedFd>,
}

fn start(program: &Program, estate: &Estate, shutdown: &Shutdown) -> Result<(Serving, Wire), String> {
    let cannot = |cause: io::Error| format!("cannot start {}: {cause}", program.path.display());
    let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).arg(TAKE_OVER);
    // The new process is another one than systemd means there, and has to send signs of life all the same.
    command.env_remove("WATCHDOG_PID").stdin(OwnedFd::from(theirs)).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    // With it our hold on the other end of the wire.
    drop(command);
    let words = child.stderr.take().map(listen);
    let wire = Wire::new(ours);
    let mut answer = leave(&wire, estate, program.patience);
    if let Ok(Some(Answer::Ready)) = answer {
        if shutdown.phase() != Phase::Running {
            // It has not begun, so that no client misses it.
            drop(child.kill().and_then(|()| child.wait()));
            return Err("the running process was told to end meanwhile".to_owned());
        }
        answer = let_begin(&wire);
    }
    let end = match answer {
        Ok(Some(Answer::Serving(serving))) => return Ok((serving, wire)),
        Ok(Some(Answer::Failed(why))) => {
            ended(&mut child);
            return Err(why);
        }
        Ok(Some(Answer::Ready) | None) | Err(_) => match ended(&mut child) {
            Some(status) => format!("the new process ended before it was ready ({status})"),
            None => format!("the new process was not ready within {:?}", program.patience),
        },
    };
    let said = words.and_then(|words| words.recv_timeout(END).ok()).unwrap_or_default();
    Err(if said.is_empty() { end } else { format!("{end}; it said:\n{said}") })
}

/// Sends everything; whether the new process could begin with it.
fn leave(wire: &Wire, estate: &Estate, patience: Duration) -> io::Result<Option<Answer>> {
    wire.limit(patience)?;
    let descriptors = || estate.descriptors.iter().try_for_each(|each| wire.send_descriptor(each.as_fd()));
    let sent = wire.send(&estate.legacy).and_then(|()| descriptors());
    // Where not all of it was taken, the new process may have said why before it went.
    let answer = wire.receive();
    if let Ok(Some(_)) = answer { answer } else { sent.and(answer) }
}

/// Lets the new process begin; whether it has.
fn let_begin(wire: &Wire) -> io::Result<Option<Answer>> {
    wire.limit(BEGIN)?;
    wire.send(&Rest::default())?;
    wire.receive()
}

/// How a process ended that has nothing more to say; `None` when it had to be made to.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let pause = END / 50;
    for _ in 0..50 {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(pause);
    }
    drop(child.kill().and_then(|()| child.wait()));
    None
}

/// Passes on what the process writes until it has our standard error for its own; its last words once it has ended.
fn listen(mut stderr: ChildStderr) -> Receiver<String> {
    let (last, words) = mpsc::channel();
    thread::spawn(move || {
        let (mut buffer, mut kept) = ([0; 1024], Vec::new());
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            let part = buffer.get(..count).unwrap_or_default();
            drop(io::stderr().write_all(part));
            kept.extend_from_slice(part);
            let surplus = kept.len().saturating_sub(LAST_WORDS);
            kept.drain(..surplus);
        }
        // Nobody may be left to hear it.
        drop(last.send(String::from_utf8_lossy(&kept).trim().to_owned()));
    });
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words with which a program is refused that has this long to become ready.
    fn refused_after(program: &str, script: &str, patience: Duration) -> String {
        let arguments = vec!["-c".into(), script.into()];
        let program = Program { path: program.into(), arguments, patience };
        let legacy = Legacy {
            protocol: PROTOCOL,
            pid: 1,
            is_kept: false,
            generation: 1,
            listeners: Vec::new(),
            admin: None,
            marks: std::collections::HashMap::new(),
            memories: Vec::new(),
        };
        let estate = Estate { legacy, descriptors: Vec::new() };
        start(&program, &estate, &Shutdown::default()).unwrap_err()
    }

    fn refused(script: &str) -> String {
        refused_after("/bin/sh", script, READY)
    }

    /// A message in bytes: its length, then its text.
    fn said(text: &str) -> String {
        let octal = |byte: u8| format!("\\{byte:03o}");
        let length: String = u32::try_from(text.len()).unwrap().to_be_bytes().map(octal).concat();
        format!("printf '{length}{text}' >&0")
    }

    #[test]
    fn a_program_that_is_broken_is_told_with_its_last_words() {
        let told = refused("echo 'no such option: --take-over' >&2; exit 2");
        assert!(told.contains("ended before it was ready (exit status: 2)"), "{told}");
        assert!(told.ends_with("it said:\nno such option: --take-over"), "{told}");
        let told = refused("kill -KILL $$");
        assert!(told.contains("signal: 9"), "{told}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_told() {
        let told = refused_after("/bin/sh", "echo 'waiting' >&2; exec sleep 600", Duration::from_millis(100));
        assert_eq!(told, "the new process was not ready within 100ms; it said:\nwaiting");
    }

    #[test]
    fn a_program_that_is_ready_may_not_begin_where_nobody_serves_any_more() {
        // As if it had been told to end: the phase is not that of a service that runs.
        let told = refused(&format!("{}; exec sleep 600", said("\"ready\"")));
        assert_eq!(told, "the running process was told to end meanwhile");
    }

    #[test]
    fn a_program_that_says_why_it_fails_is_quoted() {
        assert_eq!(refused(&said("{\"failed\":\"no disk\"}")), "no disk");
        let told = refused(&said("{\"other\":1}"));
        assert!(told.starts_with("the new process ended before it was ready"), "{told}");
    }

    #[test]
    fn a_program_is_found_by_the_name_that_it_was_called_by() {
        assert!(called(OsStr::new("/nowhere/nearside")).is_none());
        assert!(called(OsStr::new("sh")).is_some_and(|path| path.is_absolute()));
        let told = refused_after("/nowhere/nearside", "", READY);
        assert!(told.starts_with("cannot start /nowhere/nearside: "), "{told}");
    }
}
