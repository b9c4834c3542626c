//! The sockets of the admin interface.

use super::answer;
use crate::state;
use crate::status::Desk;
use anyhow::{Context, bail};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
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

/// The sockets, bound.
#[derive(Debug)]
pub(crate) struct Admin {
    unix: Option<UnixListener>,
    tcp: Option<std::net::TcpListener>,
}

/// The Unix socket's file, which is removed with this.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// Binds the admin sockets of the PoP with this state folder.
///
/// # Errors
/// Another PoP runs in this folder, or a socket cannot be bound.
pub(crate) fn bind(folder: &Path, address: Option<SocketAddr>) -> anyhow::Result<(Admin, SocketFile)> {
    let path = state::socket(folder);
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
    let file = SocketFile(path.clone());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).with_context(cannot)?;
    unix.set_nonblocking(true).with_context(cannot)?;
    let tcp = address.map(bind_tcp).transpose()?;
    Ok((Admin { unix: Some(unix), tcp }, file))
}

fn bind_tcp(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let remedy = || {
        let port = address.port();
        format!("cannot listen on observe.admin {address}; `ss -ltnp 'sport = :{port}'` names who does")
    };
    let listener = std::net::TcpListener::bind(address).with_context(remedy)?;
    listener.set_nonblocking(true).with_context(remedy)?;
    Ok(listener)
}

impl Admin {
    /// Answers until it is cancelled. To be called once.
    pub(crate) async fn serve(&mut self, desk: Desk) -> io::Result<()> {
        let desk = Arc::new(desk);
        let mut doors = JoinSet::new();
        if let Some(listener) = self.unix.take() {
            let door = Door::Unix(tokio::net::UnixListener::from_std(listener)?);
            doors.spawn(door.serve(Arc::clone(&desk)));
        }
        if let Some(listener) = self.tcp.take() {
            let door = Door::Tcp(tokio::net::TcpListener::from_std(listener)?);
            doors.spawn(door.serve(desk));
        }
        while doors.join_next().await.is_some() {}
        Ok(())
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

    async fn serve(self, desk: Arc<Desk>) {
        let over_tcp = matches!(self, Self::Tcp(_));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok(stream) = self.accept().await else {
                sleep(NO_DESCRIPTORS).await;
                continue;
            };
            let desk = Arc::clone(&desk);
            connections.spawn(async move {
                converse(stream, desk, over_tcp).await;
                drop(place);
            });
        }
    }
}

async fn converse(stream: Box<dyn Duplex>, desk: Arc<Desk>, over_tcp: bool) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(&desk, &request, over_tcp)) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that breaks off has its answer, or does not want one.
    drop(timeout(LIFETIME, connection).await);
}
