//! The connections to backends that a worker keeps: one for each request at a time over HTTP/1, one for many over
//! HTTP/2.
//!
//! Connections are kept under a key of all that tells them apart, so that no request travels on a connection that
//! was made with other authorities, another certificate, another name or another protocol. Each worker has its own;
//! the limit per backend, and the queue before it, are shared by all.

mod conn;
mod connect;
mod gate;
mod idle;
mod key;
mod reserve;
mod slot;
mod warm;
mod warmth;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use conn::Conn;
pub(crate) use key::speaks_h2;
pub use reserve::Reserves;
pub(crate) use warm::keep;
pub use warm::revive;

use crate::dial::{DialError, Parties, Preamble};
use crate::live::Live;
use crate::worker::Worker;
use conn::{Kind, Link};
use connect::Want;
use idle::{Idle, keepalive};
use key::Key;
use nearside_core::{BackendId, BackendKey, Generation};
use nearside_tls::ClientTable;
use parking_lot::{Mutex, MutexGuard};
use slot::Slot;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Why a request got no connection. Nothing of it was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The backend's name resolves to no address.
    #[error("the backend's name resolves to no address")]
    NoAddress,
    /// No address accepted the connection.
    #[error("no address of the backend accepted the connection")]
    Refused(#[source] Arc<io::Error>),
    /// It took longer than `timeouts.connect`.
    #[error("the connection to the backend was not made in time")]
    Timeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake with the backend failed")]
    Tls(#[source] Arc<io::Error>),
    /// The backend does not speak the protocol that the pool demands.
    #[error("the backend does not speak the pool's protocol")]
    Protocol,
    /// The backend has all the connections that it may, and too many requests wait for one.
    #[error("no connection to the backend was free in time")]
    Overloaded,
    /// The backend speaks, under the pool's rules, no protocol in which it makes tunnels.
    #[error("the backend makes no tunnels in the pool's protocol")]
    NoTunnel,
}

impl From<DialError> for ConnectError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NoAddress => Self::NoAddress,
            DialError::Refused(cause) => Self::Refused(Arc::new(cause)),
            DialError::Timeout => Self::Timeout,
            DialError::Tls(cause) => Self::Tls(Arc::new(cause)),
        }
    }
}

/// A connection for one request.
#[derive(Debug)]
pub struct Checkout {
    /// The connection.
    pub conn: Conn,
    /// Whether it has carried a request before: the backend may have closed it meanwhile.
    pub reused: bool,
    /// How long it took to get.
    pub connect: Duration,
}

/// What a request asks of the pools.
#[derive(Clone, Copy, Debug)]
pub struct Errand {
    /// The backend.
    pub backend: BackendId,
    /// When it came.
    pub now: Instant,
    /// Whether only a connection will do that nobody has used.
    pub afresh: bool,
    /// Whether it asks for a tunnel: HTTP/1.1 makes one of every connection, HTTP/2 only of streams to a backend that has
    /// announced extended CONNECT. One that has not is spoken to in HTTP/1.1 where the pool leaves the protocol open.
    pub tunnel: bool,
    /// The client's connection: where the backend is told of it, the connection is this client's own.
    pub parties: Parties,
}

/// A worker's connections to backends.
#[derive(Debug)]
pub struct Pools {
    reserves: Arc<Reserves>,
    current: Mutex<Current>,
    /// Nothing more is made ready.
    rests: AtomicBool,
}

/// The slots of the newest generation, by [`BackendId`].
#[derive(Debug, Default)]
struct Current {
    of: Option<(Arc<Generation>, Arc<ClientTable>)>,
    slots: Box<[Option<Arc<Slot>>]>,
    /// The slots of backends that are told for whom a connection is, whatever their generation.
    own: HashMap<Parties, Vec<Arc<Slot>>>,
}

/// What is kept for one backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The backend.
    pub backend: BackendKey,
    /// Idle HTTP/1 connections.
    pub idle: usize,
    /// HTTP/2 connections.
    pub shared: usize,
}

impl Pools {
    /// Pools without a connection. All workers are given the same `reserves`.
    #[must_use]
    pub fn new(reserves: Arc<Reserves>) -> Self {
        Self { reserves, current: Mutex::default(), rests: AtomicBool::new(false) }
    }

    /// A connection for `errand`: a kept one where that will do, or a new one.
    ///
    /// # Errors
    /// None could be had within the pool's `timeouts.connect`.
    pub async fn checkout(
        &self,
        worker: &Arc<Worker>,
        live: &Live,
        errand: Errand,
    ) -> Result<Checkout, ConnectError> {
        let id = errand.backend;
        let backend = live.generation.backend(id).ok_or(ConnectError::NoAddress)?;
        let pool = live.generation.pool(backend.pool).ok_or(ConnectError::NoAddress)?;
        let slot = match pool.connections.proxy_protocol {
            None => self.slot(live, id),
            Some(version) => self.own(live, id, Preamble { version, parties: Some(errand.parties) }),
        };
        let slot = slot.ok_or(ConnectError::NoAddress)?;
        let want = Want { worker, live, backend, id, slot };
        if errand.tunnel {
            let within = pool.timeouts.connect;
            return Box::pin(want.for_tunnel(&pool.connections, within, errand.afresh)).await;
        }
        if !errand.afresh
            && let Some(checkout) = want.kept(&pool.connections, errand.now)
        {
            return Ok(checkout);
        }
        // Boxed, so that the many requests that find a kept connection do not carry the state of a dial.
        Box::pin(want.connect(&pool.connections, pool.timeouts.connect)).await
    }

    /// Takes a connection back after an exchange that was whole at `since`; one that cannot carry another is closed.
    pub fn give_back(
        &self,
        worker: &Worker,
        live: &Live,
        (backend, since): (BackendId, Instant),
        conn: Conn,
    ) {
        let Conn { kind, link: Link { slot, address, lease } } = conn;
        let Kind::H1(upstream) = kind else { return };
        let said = crate::side::Backend::head(&*upstream).keep_alive_timeout();
        let pool = live.generation.backend(backend).and_then(|backend| live.generation.pool(backend.pool));
        let Some((io, pool)) = upstream.into_idle().zip(pool) else { return };
        let key = Arc::clone(&slot.key);
        let keepalive = keepalive(pool.connections.keepalive, said);
        slot.keep(worker.id, Idle { io, key, address, lease, since, keepalive, used: true });
    }

    /// Closes what has died or idled for long enough, and what no backend of `live` has a use for; notes what the others
    /// have seen of the distance. To be called each second.
    pub fn sweep(&self, live: &Live) {
        let mut current = self.current();
        self.adopt(&mut current, live);
        let own: Vec<_> = current.own.values().flatten().cloned().collect();
        let slots: Vec<_> = current.slots.iter().flatten().cloned().collect();
        drop(current);
        let now = Instant::now();
        let mut known = HashMap::new();
        for (id, backend) in live.generation.backends.iter().enumerate() {
            if let Some(pool) = live.generation.pool(backend.pool) {
                known.insert(&backend.key, (BackendId::new(id), pool.connections.keepalive));
            }
        }
        for slot in slots.into_iter().chain(own) {
            let Some((id, keepalive)) = known.get(&slot.key.backend) else {
                slot.retire();
                continue;
            };
            let swept = slot.sweep(now, *keepalive);
            if swept.spurned {
                slot.reserve.warmth().failed(now);
            }
            if let Some((cell, round_trip)) = live.evidence.cell(*id).zip(swept.round_trip) {
                cell.observe_kept_rtt(round_trip, live.evidence.now());
            }
        }
    }

    /// Makes nothing ready from now on.
    pub(crate) fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    /// Where connections are made ready; `None` once nothing more is.
    fn to_warm(&self, live: &Live) -> Option<Vec<(BackendId, Arc<Slot>)>> {
        if self.rests.load(Ordering::Relaxed) {
            return None;
        }
        let mut current = self.current();
        self.adopt(&mut current, live);
        let ids = (0..current.slots.len()).map(BackendId::new);
        let slots = ids.zip(&current.slots).filter_map(|(id, slot)| Some((id, Arc::clone(slot.as_ref()?))));
        Some(slots.collect())
    }

    /// Closes what was kept for a client's connection, which has ended.
    pub(crate) fn left(&self, parties: Parties) {
        let own = self.current().own.remove(&parties);
        own.iter().flatten().for_each(|slot| slot.retire());
    }

    /// Closes every connection that is not in use, and keeps none from now on.
    pub fn close(&self) {
        let current = std::mem::take(&mut *self.current());
        let own = current.own.values().flatten();
        current.slots.iter().flatten().chain(own).for_each(|slot| slot.retire());
    }

    /// What is kept, for those backends of which something is.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        let current = self.current();
        let own = current.own.values().flatten();
        let slots: Vec<_> = current.slots.iter().flatten().chain(own).cloned().collect();
        drop(current);
        let kept = slots.iter().map(|slot| {
            let (idle, shared) = slot.kept();
            Kept { backend: slot.key.backend.clone(), idle, shared }
        });
        kept.filter(|kept| kept.idle + kept.shared > 0).collect()
    }

    fn slot(&self, live: &Live, backend: BackendId) -> Option<Arc<Slot>> {
        let mut current = self.current();
        if !current.is_of(live) {
            let older =
                current.of.as_ref().is_some_and(|(held, _)| live.generation.stamp.number < held.stamp.number);
            if older {
                // A request that began before the swap: it shares where nothing that matters has changed.
                let key = Key::of(live, backend)?;
                let same = current.slots.iter().flatten().find(|slot| *slot.key == key).cloned();
                return Some(same.unwrap_or_else(|| self.apart(key)));
            }
            self.adopt(&mut current, live);
        }
        current.slots.get(backend.index()).cloned().flatten()
    }

    /// The slot of one client's connection.
    fn own(&self, live: &Live, backend: BackendId, preamble: Preamble) -> Option<Arc<Slot>> {
        let key = Key { preamble: Some(preamble), ..Key::of(live, backend)? };
        let mut current = self.current();
        let own = current.own.entry(preamble.parties?).or_default();
        if let Some(same) = own.iter().find(|slot| *slot.key == key) {
            return Some(Arc::clone(same));
        }
        let reserve = self.reserves.of(&key.backend);
        let slot = Slot::new(key, reserve);
        own.push(Arc::clone(&slot));
        Some(slot)
    }

    /// A slot of which nothing outlives its request.
    fn apart(&self, key: Key) -> Arc<Slot> {
        let reserve = self.reserves.of(&key.backend);
        let slot = Slot::new(key, reserve);
        slot.retire();
        slot
    }

    fn adopt(&self, current: &mut Current, live: &Live) {
        if current.is_of(live) {
            return;
        }
        let before = std::mem::take(&mut current.slots);
        let mut old: HashMap<BackendKey, Arc<Slot>> =
            before.into_iter().flatten().map(|slot| (slot.key.backend.clone(), slot)).collect();
        let ids = (0..live.generation.backends.len()).map(BackendId::new);
        let slots = ids.map(|id| {
            // Where backends are told for whom a connection is, each client has slots of its own.
            let key = Key::of(live, id).filter(|_| !is_told(live, id))?;
            let same = old.remove(&key.backend).filter(|slot| {
                let same = *slot.key == key;
                if !same {
                    slot.retire();
                }
                same
            });
            Some(same.unwrap_or_else(|| {
                let reserve = self.reserves.of(&key.backend);
                Slot::new(key, reserve)
            }))
        });
        current.slots = slots.collect();
        current.of = Some((Arc::clone(&live.generation), Arc::clone(&live.backend_tls)));
        old.into_values().for_each(|slot| slot.retire());
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock()
    }
}

/// Whether `backend` is told for whom a connection is.
fn is_told(live: &Live, backend: BackendId) -> bool {
    let pool = live.generation.backend(backend).and_then(|backend| live.generation.pool(backend.pool));
    pool.is_some_and(|pool| pool.connections.proxy_protocol.is_some())
}

impl Current {
    fn is_of(&self, live: &Live) -> bool {
        self.of.as_ref().is_some_and(|(generation, tls)| {
            Arc::ptr_eq(generation, &live.generation) && Arc::ptr_eq(tls, &live.backend_tls)
        })
    }
}
