//! How a connection to a backend is made.
//!
//! [`Dial`] makes one TCP connection: [`Direct`] does, [`distant::Distant`] adds a distance. [`dial`] makes a
//! connection that a request can use: across the addresses behind a name, announced, and with TLS.

pub mod distant;
pub mod far;
mod lane;
mod local;
mod memory;
mod preamble;
mod race;

pub use memory::Memory;
pub use preamble::{Parties, Preamble};

use crate::congestion;
use crate::io::{Io, Wire};
use crate::round_trip;
use crate::secured::Secured;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// A backend at this distance is elsewhere: what it is sent has a long way, and after a pause would start anew.
const ELSEWHERE: Duration = Duration::from_millis(5);

/// A connection in the making.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send + 'a>>;

/// Makes TCP connections.
pub trait Dial: fmt::Debug + Send + Sync {
    /// Connects to `to`, which stands in the region of this name.
    fn connect<'a>(&'a self, to: SocketAddr, region: &'a str) -> Dialling<'a>;
}

/// Connects over the network as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Dial for Direct {
    fn connect<'a>(&'a self, to: SocketAddr, _region: &'a str) -> Dialling<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            prepare(&stream)?;
            Ok(Wire::Tcp(stream))
        })
    }
}

/// Where to connect.
#[derive(Clone)]
pub struct Destination<'a> {
    /// The other end.
    pub peer: Peer<'a>,
    /// The name of the region that they stand in.
    pub region: &'a str,
    /// What the connection begins with, if the backend wants to be told for whom it is.
    pub preamble: Option<Preamble>,
    /// TLS, with the name to ask for and verify.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// The other end of a connection to be made.
#[derive(Clone, Copy, Debug)]
pub enum Peer<'a> {
    /// Addresses, any of which will do.
    Inet(&'a [SocketAddr]),
    /// A Unix socket of this machine, whatever the region.
    Unix(&'a Path),
}

/// A connection that was made.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub io: Io,
    /// The address that answered; none of a Unix socket.
    pub address: Option<SocketAddr>,
    /// The round trip, as the TCP handshake measured it; how long a Unix socket took to let us in.
    pub round_trip: Duration,
}

/// Why no connection was made. Nothing of a request was sent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("the name resolves to no address")]
    NoAddress,
    /// No address accepted.
    #[error("no address accepted the connection")]
    Refused(#[source] io::Error),
    /// TCP or TLS took too long.
    #[error("the connection was not made in time")]
    Timeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
}

/// Connects by `deadline`: the first address that answers wins, TLS included where the destination has it. Addresses
/// that did not answer of late are tried last.
///
/// # Errors
/// No connection could be made, or not in time.
pub async fn dial(
    (dial, memory): (&dyn Dial, &Memory),
    to: &Destination<'_>,
    deadline: Instant,
) -> Result<Dialled, DialError> {
    let reaching = async {
        match to.peer {
            Peer::Inet(addresses) => race::connect(dial, memory, addresses, to.region).await,
            Peer::Unix(path) => Some(local::connect(path).await),
        }
    };
    let mut winner = match timeout_at(deadline, reaching).await {
        Err(_elapsed) => return Err(DialError::Timeout),
        Ok(None) => return Err(DialError::NoAddress),
        Ok(Some(outcome)) => outcome.map_err(DialError::Refused)?,
    };
    let round_trip = round_trip::of_handshake(&winner.wire).unwrap_or(winner.took);
    if let (Wire::Tcp(stream), true) = (&winner.wire, round_trip >= ELSEWHERE) {
        // Without it the system's own choice stays.
        drop(congestion::choose(&stream.into()));
    }
    if let Some(preamble) = &to.preamble {
        let bytes = preamble.bytes().map_err(DialError::Refused)?;
        let written = timeout_at(deadline, winner.wire.write_all(&bytes)).await;
        written.map_err(|_elapsed| DialError::Timeout)?.map_err(DialError::Refused)?;
    }
    let io = match &to.tls {
        None => Io::Plain(winner.wire),
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let handshake = connector.connect(name.clone(), winner.wire);
            match timeout_at(deadline, handshake).await {
                Err(_elapsed) => return Err(DialError::Timeout),
                Ok(done) => Io::Tls(Box::new(Secured::new(done.map_err(DialError::Tls)?))),
            }
        }
    };
    Ok(Dialled { io, address: winner.address, round_trip })
}

/// A dead peer is noticed within half a minute, whether bytes are in flight or not.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use distant::Distant;
    use std::collections::HashMap;
    use tokio::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(1);

    fn plain<'a>(addresses: &'a [SocketAddr]) -> Destination<'a> {
        Destination { peer: Peer::Inet(addresses), region: "fra", preamble: None, tls: None }
    }

    #[tokio::test]
    async fn a_connection_knows_its_address_and_a_measured_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialled =
            dial((&Direct, &Memory::default()), &plain(&[address]), Instant::now() + SECOND).await.unwrap();
        assert_eq!(dialled.address, Some(address));
        assert!(dialled.round_trip > Duration::ZERO && dialled.round_trip < SECOND);
    }

    #[tokio::test]
    async fn a_connection_sends_at_once_and_gives_up_a_dead_peer_from_its_handshake_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Direct.connect(listener.local_addr().unwrap(), "fra").await.unwrap();
        // Before TLS, or anything else, is spoken on it.
        let socket = wire.socket();
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(SECOND * 30));
        assert!(socket.keepalive().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_distant_region_is_a_round_trip_away_and_too_far_is_a_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [listener.local_addr().unwrap()];
        let round_trips = HashMap::from([("fra".to_owned(), Duration::from_millis(90))]);
        let distant = Distant { round_trips, inner: Arc::new(Direct) };
        let start = Instant::now();
        let dialled = dial((&distant, &Memory::default()), &plain(&addresses), start + SECOND).await.unwrap();
        assert_eq!(start.elapsed().as_millis(), 90);
        assert!(dialled.round_trip.as_millis() >= 90);
        let late = dial(
            (&distant, &Memory::default()),
            &plain(&addresses),
            Instant::now() + Duration::from_millis(50),
        )
        .await;
        assert!(matches!(late, Err(DialError::Timeout)));
    }

    #[tokio::test]
    async fn a_name_without_addresses_and_a_closed_port_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let deadline = Instant::now() + SECOND;
        assert!(matches!(
            dial((&Direct, &Memory::default()), &plain(&[]), deadline).await,
            Err(DialError::NoAddress)
        ));
        let refused = dial((&Direct, &Memory::default()), &plain(&[address]), deadline).await;
        assert!(
            matches!(refused, Err(DialError::Refused(cause)) if cause.kind() == io::ErrorKind::ConnectionRefused)
        );
    }
}
