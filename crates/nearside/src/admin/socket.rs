//! The sockets of the admin interface.

use super::Counter;
use super::entry::Way;
use super::events::Feed;
use crate::handover::Succession;
use crate::state;
use crate::status::Desk;
use anyhow::{Context, bail};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nearside_proxy::private;
use nearside_proxy::service::{Phase, Shutdown};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The longest path of a Unix socket, without its end (`sun_path`, unix(7)).
const LONGEST_PATH: usize = 107;
/// Connections at one time, on each socket.
const CONNECTIONS: usize = 64;
/// How long a connection may last after a request: scrapes and questions are short, and events end before.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long to wait when the system has no descriptors left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(100);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The sockets, for whoever accepts on them.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The one in the state folder.
    pub(crate) unix: UnixListener,
    /// The one on an address.
    pub(crate) tcp: Option<(SocketAddr, TcpListener)>,
}

impl Listening {
    /// The same sockets once more.
    ///
    /// # Errors
    /// No descriptor is free.
    pub(crate) fn share(&self) -> io::Result<Self> {
        let tcp =
            self.tcp.as_ref().map(|(address, socket)| Ok::<_, io::Error>((*address, socket.try_clone()?)));
        Ok(Self { unix: self.unix.try_clone()?, tcp: tcp.transpose()? })
    }
}

/// The admin interface, before it serves.
#[derive(Debug)]
pub(crate) struct Admin(Option<Listening>);

/// Takes the admin sockets of the PoP with this state folder over from a predecessor, or binds them.
///
/// # Errors
/// Another PoP runs in this folder, or a socket cannot be bound.
pub(crate) fn bind(
    folder: &Path,
    address: Option<SocketAddr>,
    met: Option<Listening>,
) -> anyhow::Result<Listening> {
    let path = state::socket(folder);
    if let Some(Listening { unix, tcp }) = met {
        let tcp = match (address, tcp) {
            (Some(address), Some((known, socket))) if address == known => Some((known, socket)),
            (Some(address), _) => Some((address, bind_tcp(address)?)),
            (None, _) => None,
        };
        return Ok(Listening { unix, tcp });
    }
    if path.as_os_str().len() > LONGEST_PATH {
        bail!(
            "the admin socket's path {} is longer than {LONGEST_PATH} bytes; name a shorter --state-dir",
            path.display()
        );
    }
    if UnixStream::connect(&path).is_ok() {
        bail!(
            "another nearside runs with the state folder {}; end it first, or name another with --state-dir",
            folder.display()
        );
    }
    // What a killed predecessor left behind answers nobody.
    drop(fs::remove_file(&path));
    let cannot = || format!("cannot listen on the admin socket {}", path.display());
    let unix = UnixListener::bind(&path).with_context(cannot)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).with_context(cannot)?;
    unix.set_nonblocking(true).with_context(cannot)?;
    let tcp = address.map(|address| Ok::<_, anyhow::Error>((address, bind_tcp(address)?))).transpose()?;
    Ok(Listening { unix, tcp })
}

/// Removes the Unix socket's file, so that nobody takes this PoP for one that runs.
pub(crate) fn remove(folder: &Path) {
    // What is left behind is found out, and replaced, at the next start.
    drop(fs::remove_file(state::socket(folder)));
}

fn bind_tcp(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let remedy = || {
        let port = address.port();
        format!("cannot listen on observe.admin {address}; `ss -ltnp 'sport = :{port}'` names who does")
    };
    let listener = TcpListener::bind(address).with_context(remedy)?;
    listener.set_nonblocking(true).with_context(remedy)?;
    Ok(listener)
}

impl Admin {
    /// The interface on these sockets.
    pub(crate) fn new(listening: Listening) -> Self {
        Self(Some(listening))
    }

    /// Answers until it is cancelled, or until a successor does. To be called once.
    pub(crate) async fn serve(&mut self, desk: &Desk, succession: &Arc<Succession>) -> io::Result<()> {
        let Some(Listening { unix, tcp }) = self.0.take() else { return Ok(()) };
        let feed = Arc::new(Feed::open());
        let counter =
            Counter { desk: desk.clone(), succession: Arc::clone(succession), feed: Arc::clone(&feed) };
        let mut doors = JoinSet::new();
        let door = Door::Unix(tokio::net::UnixListener::from_std(unix)?);
        doors.spawn(door.serve(counter.clone()));
        if let Some((address, listener)) = tcp {
            // What other machines can reach speaks TLS; the file that says so has certificates and a token.
            let way = if address.ip().is_loopback() { Way::Plain } else { Way::Tls };
            let door = Door::Tcp(tokio::net::TcpListener::from_std(listener)?, way);
            doors.spawn(door.serve(counter));
        }
        tokio::select! {
            () = feed.tell(desk) => {}
            () = left(&desk.shutdown) => {}
        }
        // Pages that are open ask the successor.
        feed.close();
        while doors.join_next().await.is_some() {}
        Ok(())
    }
}

/// Ready once a successor answers.
async fn left(shutdown: &Shutdown) {
    shutdown.reached(Phase::Closing).await;
    if !shutdown.is_handed_over() {
        std::future::pending().await
    }
}

/// A socket that accepts.
enum Door {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener, Way),
}

/// A connection of any kind.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection as it was accepted.
enum Accepted {
    Clear(Box<dyn Duplex>),
    Tls(TcpStream),
}

impl Door {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Unix(listener) => Accepted::Clear(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener, Way::Tls) => Accepted::Tls(listener.accept().await?.0),
            Self::Tcp(listener, _) => Accepted::Clear(Box::new(listener.accept().await?.0)),
        })
    }

    async fn serve(self, counter: Counter) {
        let way = match self {
            Self::Unix(_) => Way::Unix,
            Self::Tcp(_, way) => way,
        };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                // First, so that nobody who was told of the successor is answered here.
                biased;
                () = left(&counter.desk.shutdown) => break,
                accepted = self.accept() => accepted,
            };
            let Ok(accepted) = accepted else {
                sleep(NO_DESCRIPTORS).await;
                continue;
            };
            let counter = counter.clone();
            connections.spawn(async move {
                let stream = match accepted {
                    Accepted::Clear(stream) => Some(stream),
                    Accepted::Tls(stream) => {
                        let live = counter.desk.edge.live.load_full();
                        let secured = timeout(HANDSHAKE, private::accept(stream, &live.certificates));
                        secured.await.ok().flatten().map(|stream| Box::new(stream) as Box<dyn Duplex>)
                    }
                };
                if let Some(stream) = stream {
                    converse(stream, &counter, way).await;
                }
                drop(place);
            });
        }
        drop(self);
        while connections.join_next().await.is_some() {}
    }
}

async fn converse(stream: Box<dyn Duplex>, counter: &Counter, way: Way) {
    let (renew, until) = watch::channel(Instant::now() + LIFETIME);
    let service = service_fn(async |request| {
        renew.send_replace(Instant::now() + LIFETIME);
        Ok::<_, Infallible>(counter.answer(request, way).await)
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let whole = async {
        tokio::select! {
            // A client that breaks off has its answer, or does not want one.
            ended = connection.as_mut() => drop(ended),
            // What comes next is the successor's to answer, on a connection of its own.
            () = left(&counter.desk.shutdown) => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    };
    tokio::select! {
        () = whole => {}
        () = passed(&until) => {}
    }
}

/// Ready once the moment has passed, which may be put off meanwhile.
async fn passed(until: &watch::Receiver<Instant>) {
    loop {
        let moment = *until.borrow();
        if Instant::now() >= moment {
            return;
        }
        sleep_until(moment).await;
    }
}
