//! Raw: a backend that keeps every byte it was sent, client by client, and answers as a script says; and a client that
//! sends what it is told. Both know nothing of HTTP but what [`crate::wire`] knows.
//!
//! The pool in front of it announces clients (`connections.proxy_protocol: v1`), so what was sent for one client is told
//! from everything else by its port. What was sent for a client is final once its connection has ended: then the edge
//! closes what it held for it.

use crate::wire::{Fault, Kind, Message};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything is waited for before the case has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection is answered. It ends with the script.
pub type Script = Arc<dyn Fn(&mut Talk) + Send + Sync>;

/// What the backend says to every request that has no script.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The port of whom no client was announced for.
pub const NOBODY: u16 = 0;

/// The backend. It lives as long as the process.
#[derive(Clone)]
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    scripts: HashMap<u16, Script>,
    heard: HashMap<u16, Vec<Heard>>,
}

/// What a connection brought.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// All bytes behind the announcement of the client.
    pub bytes: Vec<u8>,
    /// Whether the edge has ended it, or the script has.
    pub ended: bool,
}

impl Heard {
    /// The requests that came on it.
    ///
    /// # Errors
    /// The last one is not whole, or one is not lawful.
    pub fn requests(&self) -> Result<Vec<Message>, Fault> {
        Message::read_all(&self.bytes, Kind::Request, self.ended)
    }
}

impl Backend {
    /// Starts one on a free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let backend = Self { address: listener.local_addr().expect("it is bound"), shared: Arc::default() };
        let serving = backend.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let backend = serving.clone();
                // Client by client in the order of arrival: who they are for is read on their own threads.
                thread::spawn(move || drop(backend.serve(stream)));
            }
        });
        backend
    }

    /// Answers what is sent for the client as `script` says.
    pub fn answer(&self, client: u16, script: Script) {
        self.state().scripts.insert(client, script);
    }

    /// What was sent for the client so far, or for [`NOBODY`] what no client was announced for, connection by connection.
    #[must_use]
    pub fn heard(&self, client: u16) -> Vec<Heard> {
        self.state().heard.get(&client).cloned().unwrap_or_default()
    }

    /// Waits until what was sent for the client is as `look` wants it; what there is at last, in any case.
    pub fn wait(&self, client: u16, look: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            let heard = state.heard.get(&client).cloned().unwrap_or_default();
            let left = until.saturating_duration_since(Instant::now());
            if look(&heard) || left.is_zero() {
                return heard;
            }
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What was sent for the client, once every connection that was made for it has ended.
    #[must_use]
    pub fn all(&self, client: u16) -> Vec<Heard> {
        self.wait(client, |heard| heard.iter().all(|one| one.ended))
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut announced = String::new();
        reader.read_line(&mut announced)?;
        let client = match announced.split(' ').collect::<Vec<_>>().as_slice() {
            ["PROXY", "TCP4" | "TCP6", _, _, port, _] => port.parse().unwrap_or_default(),
            // A probe, which the edge makes for itself.
            ["PROXY", ..] => return reader.get_mut().write_all(OK),
            _ if announced.is_empty() => return Ok(()),
            _ => NOBODY,
        };
        let (number, script) = {
            let mut state = self.state();
            let heard = state.heard.entry(client).or_default();
            heard.push(Heard::default());
            (heard.len() - 1, state.scripts.get(&client).cloned())
        };
        let stream = reader.get_ref().try_clone()?;
        let mut talk = Talk { backend: self.clone(), client, number, stream, bytes: Vec::new(), read: 0 };
        // What came in one piece with the announcement.
        let ahead = reader.buffer().to_vec();
        if client == NOBODY {
            talk.take(announced.as_bytes());
        }
        talk.take(&ahead);
        match script {
            Some(script) => script(&mut talk),
            None => {
                while talk.request().is_some() {
                    talk.send(OK);
                }
            }
        }
        talk.end();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, client: u16, number: usize, change: impl FnOnce(&mut Heard)) {
        let mut state = self.state();
        if let Some(heard) = state.heard.get_mut(&client).and_then(|heard| heard.get_mut(number)) {
            change(heard);
        }
        self.shared.news.notify_all();
    }
}

/// One connection of the edge, as a script sees it.
pub struct Talk {
    backend: Backend,
    client: u16,
    /// How many connections were made for this client before.
    pub number: usize,
    stream: TcpStream,
    bytes: Vec<u8>,
    read: usize,
}

impl Talk {
    /// Waits for the next request; none where the edge ends the connection first, or sends what is none.
    pub fn request(&mut self) -> Option<Message> {
        loop {
            match Message::read(&self.bytes[self.read..], Kind::Request, false) {
                Ok((message, length)) => {
                    self.read += length;
                    return Some(message);
                }
                Err(Fault::Partial) if self.more() => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for the next head, and leaves its body where it is.
    pub fn head(&mut self) -> bool {
        let from = self.read;
        self.until(|bytes| crate::wire::find(&bytes[from..], b"\r\n\r\n").is_some())
    }

    /// Waits until all that has come is as `look` wants it; whether it ever is.
    pub fn until(&mut self, look: impl Fn(&[u8]) -> bool) -> bool {
        while !look(&self.bytes) {
            if !self.more() {
                return false;
            }
        }
        true
    }

    /// Says this.
    pub fn send(&mut self, bytes: &[u8]) {
        // An edge that has had enough is found out where the case looks.
        self.try_send(bytes);
    }

    /// Says this; whether the edge took it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads until the edge has ended the connection.
    pub fn hear_out(&mut self) {
        while self.more() {}
    }

    /// Lets some time pass.
    pub fn pause(&mut self, time: Duration) {
        thread::sleep(time);
    }

    /// Ends our direction alone.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap_or_default();
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(count @ 1..) => {
                let piece = piece[..count].to_vec();
                self.take(&piece);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.backend.change(self.client, self.number, |heard| heard.bytes.extend_from_slice(piece));
    }

    fn end(&mut self) {
        self.stream.shutdown(Shutdown::Both).unwrap_or_default();
        self.backend.change(self.client, self.number, |heard| heard.ended = true);
    }
}

/// A connection from a port that no client of this process has had before. A backend tells clients apart by it, and the
/// system gives a port out again as soon as its last connection was to another address, or is gone.
#[must_use]
pub fn connect(address: SocketAddr) -> TcpStream {
    static HAD: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    // Held until the end, so that the next one has another port.
    let mut again = Vec::new();
    loop {
        let stream = TcpStream::connect(address).expect("the edge listens");
        stream.set_nodelay(true).expect("a socket");
        let port = stream.local_addr().expect("a socket").port();
        if HAD.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return stream;
        }
        again.push(stream);
    }
}

/// A client that sends bytes and keeps what it gets.
pub struct Client {
    stream: TcpStream,
    port: u16,
    got: Vec<u8>,
    read: usize,
    /// Whether the edge has ended the connection, and whether in order.
    pub ended: Option<bool>,
}

impl Client {
    /// A connection to `address`.
    #[must_use]
    pub fn to(address: SocketAddr) -> Self {
        let stream = connect(address);
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        let port = stream.local_addr().expect("a socket").port();
        Self { stream, port, got: Vec::new(), read: 0, ended: None }
    }

    /// Its port, by which the backend knows it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its socket.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends this. An edge that has closed already is found out by what it answered.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap_or_default();
    }

    /// Ends its direction.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap_or_default();
    }

    /// Waits until a head has come; whether one does.
    pub fn begun(&mut self) -> bool {
        while self.ended.is_none() && crate::wire::find(&self.got[self.read..], b"\r\n\r\n").is_none() {
            self.more();
        }
        self.ended.is_none()
    }

    /// Waits for the next answer to a request with this method.
    ///
    /// # Errors
    /// The connection ended before it was whole, or it is not lawful.
    pub fn answer(&mut self, method: &'static str) -> Result<Message, Fault> {
        loop {
            let ended = self.ended == Some(true);
            match Message::read(&self.got[self.read..], Kind::Answer(method), ended) {
                Ok((message, length)) => {
                    self.read += length;
                    return Ok(message);
                }
                Err(Fault::Partial) if self.ended.is_none() => self.more(),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Reads to the end of the connection; what was not read yet.
    ///
    /// # Errors
    /// It does not end.
    pub fn rest(&mut self) -> Result<&[u8], String> {
        while self.ended.is_none() {
            self.more();
        }
        let rest = &self.got[self.read..];
        self.read = self.got.len();
        Ok(rest)
    }

    fn more(&mut self) {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.ended = Some(true),
            Ok(count) => self.got.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.ended = Some(false),
            Err(error) => panic!("the connection neither brings more nor ends: {error}"),
        }
    }
}
