//! The way to a new connection: whose turn it is, the right to make one, the dial.

use super::conn::{Conn, Kind, Link};
use super::gate::{Grant, Permit, Place};
use super::idle::{Idle, Lease};
use super::slot::{Dialling, Shared, Slot, Turn};
use super::{Checkout, ConnectError};
use crate::dial::{self, Destination, Dialled, Peer};
use crate::io::Io;
use crate::live::Live;
use crate::room::Room;
use crate::worker::Worker;
use crate::{h1, h2};
use nearside_core::BackendId;
use nearside_core::generation::Backend;
use nearside_core::policy::{Connections, Protocol};
use rustls::ClientConfig;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// One request in want of a connection.
pub(super) struct Want<'a> {
    pub(super) worker: &'a Arc<Worker>,
    pub(super) live: &'a Live,
    pub(super) backend: &'a Backend,
    pub(super) id: BackendId,
    pub(super) slot: Arc<Slot>,
}

/// When it began and when it gives up.
#[derive(Clone, Copy)]
struct Span {
    start: Instant,
    deadline: Instant,
}

impl Span {
    fn within(within: Duration) -> Self {
        let start = Instant::now();
        Self { start, deadline: start + within }
    }
}

/// How one is made before a request wants it.
pub(super) struct Ahead<'a> {
    pub(super) rules: &'a Connections,
    pub(super) within: Duration,
    /// How much earlier than others it is to be closed.
    pub(super) early: Duration,
    pub(super) room: Room,
}

/// A new connection.
enum Made {
    /// Of HTTP/1.
    Alone(Io),
    /// Of HTTP/2.
    Shared(h2::Connection),
}

/// The protocols that a handshake offers.
#[derive(Clone, Copy)]
enum Alpn {
    /// Those of the pool.
    Pool,
    /// HTTP/1.1 alone.
    H1,
}

impl Alpn {
    fn of(self, config: &Arc<ClientConfig>) -> Arc<ClientConfig> {
        match self {
            Self::Pool => Arc::clone(config),
            Self::H1 => {
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Arc::new(config)
            }
        }
    }
}

impl Want<'_> {
    /// A connection that is there.
    pub(super) fn kept(&self, rules: &Connections, now: Instant) -> Option<Checkout> {
        if let Some(shared) = self.slot.shared(None)
            && let Some(conn) = self.stream(&shared)
        {
            return Some(Checkout { conn, reused: true, connect: Duration::ZERO });
        }
        if let Some(idle) = self.slot.idle(now) {
            return Some(self.reuse(idle, Duration::ZERO));
        }
        self.elsewhere(rules)
    }

    /// A connection of another worker: what is made ready is so for the whole PoP.
    fn elsewhere(&self, rules: &Connections) -> Option<Checkout> {
        let reserve = &self.slot.reserve;
        let full = reserve.gate.is_full(rules.max);
        if rules.prewarm == 0 && !full {
            return None;
        }
        if self.slot.key.may_share()
            && let Some(shared) = reserve.borrow(&self.slot)
            && let Some(conn) = self.stream(&shared)
        {
            self.slot.borrowed();
            return Some(Checkout { conn, reused: true, connect: Duration::ZERO });
        }
        let mut idle = reserve.take(&self.slot, full)?;
        idle.io.settle().ok()?;
        Some(self.reuse(idle, Duration::ZERO))
    }

    /// Makes one for a request that is still to come; whether there was room for it.
    pub(super) async fn prepare(&self, ahead: &Ahead<'_>) -> Result<bool, ConnectError> {
        let deadline = Instant::now() + ahead.within;
        // Where a request dials already, the others will find its connection.
        let Turn::Dial(dialling) = self.slot.turn() else { return Ok(false) };
        let Some(permit) = self.slot.reserve.gate.try_enter(ahead.rules.max) else { return Ok(false) };
        let made = async {
            let (lease, dialled) = self.reach(permit, deadline, Alpn::Pool).await?;
            if ahead.room.is_halved_by(&*dialled.io.socket()) {
                self.worker.edge.reserves.tell_of_shortage();
                return Ok(false);
            }
            let address = dialled.address;
            match self.begin(dialled.io, deadline).await? {
                Made::Alone(io) => {
                    let (key, since) = (Arc::clone(&self.slot.key), Instant::now());
                    let keepalive = ahead.rules.keepalive.saturating_sub(ahead.early);
                    let idle = Idle { io, key, address, lease, since, keepalive, used: false };
                    self.slot.keep(self.worker.id, idle);
                }
                Made::Shared(connection) => {
                    let made = Instant::now();
                    // As if it had been quiet for a while already: it is closed earlier.
                    let quiet = made.checked_sub(ahead.early);
                    self.slot.share(Shared { connection, address, lease, made, quiet, used: false });
                }
            }
            Ok(true)
        };
        let made = made.await;
        if let Err(error) = &made {
            self.slot.fail(error);
        }
        drop(dialling);
        made
    }

    /// A connection that is made, or becomes free first.
    pub(super) async fn connect(
        &self,
        rules: &Connections,
        within: Duration,
    ) -> Result<Checkout, ConnectError> {
        let span = Span::within(within);
        let start = span.start;
        loop {
            let dialling = match self.slot.turn() {
                Turn::Dial(dialling) => dialling,
                Turn::Wait(mut done) => {
                    // The channel never carries anything: it closes when the dial has ended.
                    let waited = timeout_at(span.deadline, done.changed()).await;
                    if waited.is_err() {
                        return Err(ConnectError::Timeout);
                    }
                    if let Some(checkout) = self.joined(span) {
                        return Ok(checkout);
                    }
                    match self.slot.failure_since(start) {
                        Some(error) => return Err(error),
                        None => continue,
                    }
                }
            };
            if let Some(permit) = self.slot.reserve.gate.try_enter(rules.max) {
                return self.dial(permit, dialling, span).await;
            }
            drop(dialling);
            // The limit is reached. A connection that nobody uses makes room; of another worker's one may join.
            if let Some(shared) = self.slot.reserve.borrow(&self.slot)
                && let Some(conn) = self.stream(&shared)
            {
                return Ok(Checkout { conn, reused: true, connect: start.elapsed() });
            }
            if self.slot.reserve.spare() {
                continue;
            }
            return self.wait(rules, span).await;
        }
    }

    /// A connection that can become a tunnel, or a stream that can.
    pub(super) async fn for_tunnel(
        &self,
        rules: &Connections,
        within: Duration,
        fresh_only: bool,
    ) -> Result<Checkout, ConnectError> {
        let span = Span::within(within);
        let kept = if fresh_only { None } else { self.kept(rules, Instant::now()) };
        let found = match kept {
            Some(kept) => kept,
            None => self.connect(rules, within).await?,
        };
        let Kind::H2(stream) = &found.conn.kind else { return Ok(found) };
        let takes = timeout_at(span.deadline, stream.takes_tunnels()).await;
        if takes.map_err(|_elapsed| ConnectError::Timeout)? {
            return Ok(found);
        }
        drop(found);
        if self.slot.key.protocol == Protocol::Auto {
            self.dial_h1(rules, span).await
        } else {
            Err(ConnectError::NoTunnel)
        }
    }

    /// A connection of HTTP/1.1 to a backend that prefers HTTP/2, and makes no tunnels in it.
    async fn dial_h1(&self, rules: &Connections, span: Span) -> Result<Checkout, ConnectError> {
        let gate = &self.slot.reserve.gate;
        let permit = loop {
            match gate.try_enter(rules.max) {
                Some(permit) => break permit,
                None if self.slot.reserve.spare() => {}
                None => return Err(ConnectError::Overloaded),
            }
        };
        let (lease, dialled) = match self.reach(permit, span.deadline, Alpn::H1).await {
            // One that speaks nothing else ends the handshake.
            Err(ConnectError::Tls(_)) => return Err(ConnectError::NoTunnel),
            reached => reached?,
        };
        if dialled.io.alpn() == Some(b"h2") {
            return Err(ConnectError::NoTunnel);
        }
        let kind = Kind::H1(Box::new(h1::Upstream::new(dialled.io, self.worker)));
        let link = Link { slot: Arc::clone(&self.slot), address: dialled.address, lease };
        Ok(Checkout { conn: Conn { kind, link }, reused: false, connect: span.start.elapsed() })
    }

    /// Waits in the queue for a permit, for a connection that is passed on, or for a stream.
    async fn wait(&self, rules: &Connections, span: Span) -> Result<Checkout, ConnectError> {
        loop {
            let gate = &self.slot.reserve.gate;
            let place = gate.queue(self.worker.id, rules.max_pending).ok_or(ConnectError::Overloaded)?;
            let busy = self.slot.busy();
            let first = timeout_at(span.deadline, self.first(place, busy.as_ref())).await;
            match first {
                Err(_elapsed) => return Err(ConnectError::Overloaded),
                Ok(First::Grant(Grant::Permit(permit))) => return self.dial(permit, None, span).await,
                Ok(First::Stream(conn)) => {
                    return Ok(Checkout { conn: *conn, reused: true, connect: span.start.elapsed() });
                }
                Ok(First::Grant(Grant::Handed(idle))) if *idle.key == *self.slot.key => {
                    return Ok(self.reuse(idle, span.start.elapsed()));
                }
                // It speaks to the backend as another generation does; closing it makes room for one of ours.
                Ok(First::Grant(Grant::Handed(idle))) => drop(idle),
                Ok(First::Nothing) => {}
            }
        }
    }

    async fn first(&self, place: Place<Idle>, busy: Option<&Shared>) -> First {
        let mut place = pin!(place);
        let Some(shared) = busy else {
            return place.await.map_or(First::Nothing, First::Grant);
        };
        let mut open = pin!(shared.connection.open());
        poll_fn(|cx| {
            if let Poll::Ready(grant) = place.as_mut().poll(cx) {
                return Poll::Ready(grant.map_or(First::Nothing, First::Grant));
            }
            open.as_mut().poll(cx).map(|opened| match opened {
                Ok(upstream) => First::Stream(Box::new(self.conn(upstream, shared))),
                Err(_over) => First::Nothing,
            })
        })
        .await
    }

    /// Dials. Who waits for this dial learns how it ended.
    async fn dial(
        &self,
        permit: Permit<Idle>,
        dialling: Option<Dialling<'_>>,
        span: Span,
    ) -> Result<Checkout, ConnectError> {
        let outcome = self.establish(permit, span).await;
        if let Err(error) = &outcome {
            self.slot.fail(error);
        }
        drop(dialling);
        Ok(Checkout { conn: outcome?, reused: false, connect: span.start.elapsed() })
    }

    async fn establish(&self, permit: Permit<Idle>, span: Span) -> Result<Conn, ConnectError> {
        let (lease, dialled) = self.reach(permit, span.deadline, Alpn::Pool).await?;
        let Dialled { io, address, .. } = dialled;
        let connection = match self.begin(io, span.deadline).await? {
            Made::Alone(io) => {
                let kind = Kind::H1(Box::new(h1::Upstream::new(io, self.worker)));
                return Ok(Conn { kind, link: Link { slot: Arc::clone(&self.slot), address, lease } });
            }
            Made::Shared(connection) => connection,
        };
        let shared = Shared { connection, address, lease, made: Instant::now(), quiet: None, used: true };
        let conn = self.stream(&shared).ok_or(ConnectError::Protocol)?;
        self.slot.share(shared);
        Ok(conn)
    }

    /// Begins the protocol that ALPN has chosen.
    async fn begin(&self, io: Io, deadline: Instant) -> Result<Made, ConnectError> {
        if !self.slot.key.speaks_h2(io.alpn()).ok_or(ConnectError::Protocol)? {
            self.slot.stand_alone();
            return Ok(Made::Alone(io));
        }
        let connection = timeout_at(deadline, h2::connect(io, self.worker)).await;
        let connection = connection.map_err(|_elapsed| ConnectError::Timeout)?;
        connection.map(Made::Shared).map_err(|_closed| ConnectError::Protocol)
    }

    async fn reach(
        &self,
        permit: Permit<Idle>,
        deadline: Instant,
        alpn: Alpn,
    ) -> Result<(Arc<Lease>, Dialled), ConnectError> {
        let cell = self.live.evidence.cell(self.id).ok_or(ConnectError::NoAddress)?;
        let lease = Arc::new(Lease::new(permit, cell.connections().enter()));
        let client = self.live.backend_tls.backend(self.id);
        let name = self.live.backend_tls.server_name(self.id);
        let tls = client.zip(name).map(|(client, name)| (alpn.of(&client.config), name.clone()));
        let region = self.live.generation.region(self.backend.region);
        let addresses = self.live.evidence.addresses(self.id);
        let to = Destination {
            peer: match self.backend.endpoint.socket() {
                Some(path) => Peer::Unix(path),
                None => Peer::Inet(&addresses),
            },
            region: region.map_or("", |region| &region.name),
            preamble: self.slot.key.preamble,
            tls: tls.filter(|_| self.backend.endpoint.tls),
        };
        let dialled = dial::dial(self.worker.edge.dialler(), &to, deadline).await?;
        cell.observe_rtt(dialled.round_trip, self.live.evidence.now());
        Ok((lease, dialled))
    }

    /// A stream of the connection that another has just dialled.
    fn joined(&self, span: Span) -> Option<Checkout> {
        let shared = self.slot.shared(Some(span.start))?;
        let conn = self.stream(&shared)?;
        Some(Checkout { conn, reused: false, connect: span.start.elapsed() })
    }

    fn reuse(&self, idle: Idle, connect: Duration) -> Checkout {
        let Idle { io, address, lease, .. } = idle;
        // Written where it stays, as it is large and there is one for each request.
        let upstream = Box::write(Box::new_uninit(), h1::Upstream::new(io, self.worker));
        let link = Link { slot: Arc::clone(&self.slot), address, lease };
        Checkout { conn: Conn { kind: Kind::H1(upstream), link }, reused: true, connect }
    }

    /// A stream, if one is free now.
    fn stream(&self, shared: &Shared) -> Option<Conn> {
        let open = pin!(shared.connection.open());
        match open.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(upstream)) => Some(self.conn(upstream, shared)),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    fn conn(&self, upstream: h2::Upstream, shared: &Shared) -> Conn {
        let kind = Kind::H2(Box::new(upstream));
        let slot = Arc::clone(&self.slot);
        Conn { kind, link: Link { slot, address: shared.address, lease: Arc::clone(&shared.lease) } }
    }
}

/// What came first.
enum First {
    Grant(Grant<Idle>),
    Stream(Box<Conn>),
    Nothing,
}
