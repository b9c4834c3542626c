//! The server: one listener, and the connections that it takes.

use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use crate::answers::Backend;
use crate::fault::Fault;
use crate::identity::{Identity, Session};
use crate::ledger::Ledger;
use crate::options::{Options, Protocol};
use crate::tls::{self, TlsError};
use crate::wire::Wire;
use crate::{h1, h2};

/// How long a client may take for its TLS handshake or its first bytes.
const FIRST_BYTES: Duration = Duration::from_secs(30);
/// How long to wait when the system has no descriptors left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Why a backend does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Its certificate cannot be used.
    #[error("cannot speak TLS")]
    Tls(#[from] TlsError),
    /// Its ledger cannot be written.
    #[error("cannot open the ledger {path:?}")]
    Ledger {
        /// The ledger's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// A backend that serves; dropping it ends it.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    backend: Arc<Backend>,
    accepting: JoinHandle<()>,
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What reached it. Outlives the backend.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.backend.ledger)
    }

    /// Sets what `/healthz` answers, like `POST /control/health/STATUS`.
    pub fn set_health(&self, status: u16) {
        self.backend.health.store(status, Ordering::Relaxed);
    }

    /// Ends it at once, as a killed process would: nobody listens any more, and every connection is cut.
    pub async fn stop(mut self) {
        self.accepting.abort();
        // The task was told to end, so how it ended is known.
        drop((&mut self.accepting).await);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Starts a backend on the current runtime; it listens when this returns.
///
/// # Errors
/// When its address, its certificate or its ledger cannot be used.
pub async fn start(options: Options) -> Result<Handle, StartError> {
    let ledger = Ledger::open(options.ledger.as_deref())
        .map_err(|cause| StartError::Ledger { path: options.ledger.clone().unwrap_or_default(), cause })?;
    let tls = options.tls.as_ref().map(|tls| tls::config(tls, &options.protocols)).transpose()?;
    let cannot_bind = |cause| StartError::Bind { address: options.bind, cause };
    let listener = TcpListener::bind(options.bind).await.map_err(cannot_bind)?;
    let address = listener.local_addr().map_err(cannot_bind)?;
    let backend = Arc::new(Backend {
        identity: Identity { name: options.name, region: options.region },
        ledger: Arc::new(ledger),
        health: AtomicU16::new(200),
        delay: options.delay,
        fault: Mutex::new(Fault::None),
        deaf: watch::Sender::new(Instant::now()),
    });
    let door = Door {
        tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
        protocols: options.protocols,
        backend: Arc::clone(&backend),
    };
    let accepting = tokio::spawn(accept(listener, Arc::new(door)));
    Ok(Handle { address, backend, accepting })
}

/// Serves until it is cancelled; says once where it listens.
///
/// # Errors
/// When its address, its certificate or its ledger cannot be used.
pub async fn serve(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), StartError> {
    let mut handle = start(options).await?;
    ready(handle.addr());
    // The task ends only with its handle.
    drop((&mut handle.accepting).await);
    Ok(())
}

/// What a new connection meets.
struct Door {
    tls: Option<TlsAcceptor>,
    protocols: Vec<Protocol>,
    backend: Arc<Backend>,
}

async fn accept(mut listener: TcpListener, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    let mut deaf = door.backend.deaf.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    door.backend.ledger.connected();
                    let door = Arc::clone(&door);
                    connections.spawn(async move { door.serve(stream).await });
                }
                Err(_) => sleep(NO_DESCRIPTORS).await,
            },
            Some(_) = connections.join_next() => {}
            // The sender lives as long as the door.
            Ok(()) = deaf.changed() => {
                let Ok(address) = listener.local_addr() else { return };
                drop(listener);
                listener = listen_again(address, &mut deaf).await;
            }
        }
    }
}

/// Listens again once nobody wants it deaf, however often that is put off meanwhile.
async fn listen_again(address: SocketAddr, deaf: &mut watch::Receiver<Instant>) -> TcpListener {
    loop {
        let until = *deaf.borrow_and_update();
        tokio::select! {
            () = sleep_until(until) => {}
            Ok(()) = deaf.changed() => continue,
        }
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => sleep(NO_DESCRIPTORS).await,
        }
    }
}

impl Door {
    async fn serve(&self, stream: TcpStream) {
        // A client that is gone already shows itself in what follows.
        drop(stream.set_nodelay(true));
        match &self.tls {
            None => self.serve_clear(Wire::new(stream)).await,
            Some(tls) => {
                let Ok(Ok(stream)) = timeout(FIRST_BYTES, tls.accept(stream)).await else { return };
                let connection = stream.get_ref().1;
                let is_h2 = connection.alpn_protocol() == Some(b"h2");
                let facts = tls::facts(connection);
                self.serve_http(Wire::new(stream), is_h2, facts).await;
            }
        }
    }

    async fn serve_clear(&self, mut wire: Wire<TcpStream>) {
        let may_be_h2 = self.protocols.contains(&Protocol::H2c);
        let is_h2 = match self.protocols.contains(&Protocol::H1) {
            false => may_be_h2,
            true if !may_be_h2 => false,
            true => {
                let Ok(Ok(is_h2)) = timeout(FIRST_BYTES, wire.begins_with_preface()).await else { return };
                is_h2
            }
        };
        self.serve_http(wire, is_h2, Value::Null).await;
    }

    async fn serve_http<S>(&self, wire: Wire<S>, is_h2: bool, tls: Value)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let session = Session { protocol: if is_h2 { "h2" } else { "h1" }, tls };
        // An error here is the client's doing, or the cut that a path asked for.
        if is_h2 {
            drop(h2::serve(wire, &self.backend, &session).await);
        } else {
            drop(h1::serve(wire, &self.backend, &session).await);
        }
    }
}
