//! A client's connection, as its requests know it.

use crate::dial::Parties;
use crate::live::Live;
use nearside_core::{Host, Place};
use nearside_telemetry::{ListenerCells, TlsVersion};
use parking_lot::Mutex;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What is known of a client's connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// The client's end: the same, or what a trusted load balancer says by the PROXY protocol.
    pub client: SocketAddr,
    /// Its address as text, written out once.
    pub address: Box<str>,
    /// Our end.
    pub local: SocketAddr,
    /// Which listener of the generation it came by.
    pub listener: usize,
    /// What is counted of that.
    pub cells: Arc<ListenerCells>,
    /// Where its client was the last time that somebody asked.
    pub places: Places,
    /// The version of TLS, if it is encrypted.
    pub tls: Option<TlsVersion>,
    /// The name that the client hello asked for.
    pub sni: Option<Host>,
}

impl Connection {
    /// Its two ends.
    #[must_use]
    pub(crate) fn parties(&self) -> Parties {
        Parties { client: self.client, local: self.local }
    }
}

/// Where the client of a connection was the last time that somebody asked. Nearly all connections have one client, and
/// a generation lasts.
#[derive(Debug, Default)]
pub struct Places(Mutex<Option<(u64, IpAddr, Place)>>);

impl Clone for Places {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Places {
    /// The place of `address`, as the tables of `live` know it.
    pub(crate) fn of(&self, address: IpAddr, live: &Live) -> Place {
        let number = live.generation.stamp.number;
        let mut known = self.0.lock();
        match *known {
            Some((then, who, place)) if (then, who) == (number, address) => place,
            _ => {
                let place = live.geo.place(address);
                *known = Some((number, address, place));
                place
            }
        }
    }
}
