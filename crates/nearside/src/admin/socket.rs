//! The sockets of the admin interface.

use super::{answer, is_upgrade, upgrade};
use crate::handover::Succession;
use crate::state;
use crate::status::Desk;
use anyhow::{Context, bail};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The longest path of a Unix socket, without its end (`sun_path`, unix(7)).
const LONGEST_PATH: usize = 107;
/// Connections at one time, on each socket.
const CONNECTIONS: usize = 64;
/// How long a connection may last: scrapes and questions are short.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long to wait when the system has no descriptors left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(100);

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
        let mut doors = JoinSet::new();
        let door = Door::Unix(tokio::net::UnixListener::from_std(unix)?);
        doors.spawn(door.serve(desk.clone(), Arc::clone(succession)));
        if let Some((_, listener)) = tcp {
            let door = Door::Tcp(tokio::net::TcpListener::from_std(listener)?);
            doors.spawn(door.serve(desk.clone(), Arc::clone(succession)));
        }
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
    Tcp(tokio::net::TcpListener),
}

/// A connection of either kind.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Door {
    async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }

    async fn serve(self, desk: Desk, succession: Arc<Succession>) {
        let over_tcp = matches!(self, Self::Tcp(_));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                // First, so that nobody who was told of the successor is answered here.
                biased;
                () = left(&desk.shutdown) => break,
                accepted = self.accept() => accepted,
            };
            let Ok(stream) = accepted else {
                sleep(NO_DESCRIPTORS).await;
                continue;
            };
            let (desk, succession) = (desk.clone(), Arc::clone(&succession));
            connections.spawn(async move {
                converse(stream, &desk, &succession, over_tcp).await;
                drop(place);
            });
        }
        drop(self);
        while connections.join_next().await.is_some() {}
    }
}

async fn converse(stream: Box<dyn Duplex>, desk: &Desk, succession: &Arc<Succession>, over_tcp: bool) {
    let service = service_fn(async |request| {
        Ok::<_, Infallible>(if is_upgrade(&request, over_tcp) {
            upgrade(desk, succession).await
        } else {
            answer(desk, &request, over_tcp)
        })
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let whole = async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            // What comes next is the successor's to answer, on a connection of its own.
            () = left(&desk.shutdown) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    // A client that breaks off has its answer, or does not want one.
    drop(timeout(LIFETIME, whole).await);
}
