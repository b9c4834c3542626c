//! Claims: what a request says of itself besides host, path and method, and what of that is believed: the home of its
//! user, the pin of its session, the key that it is hashed by.

mod cookies;
mod home;
mod pin;
mod session;
mod storage;

pub(crate) use cookies::strip;
pub(crate) use session::keep;

use crate::request::Visit;
use nearside_core::generation::{Generation, Pool};
use nearside_core::policy::{Balance, HashKey};
use nearside_core::random::{mix, salt};
use nearside_core::residency::Law;
use nearside_core::route::Action;
use nearside_core::{Facts, Route, RouteId};
use nearside_http::{Method, RequestHead};
use nearside_telemetry::Disbelieved;
use nearside_tls::{Homes, Seal, Table};
use pin::Pinned;
use std::net::IpAddr;

/// What a generation believes, and which of its routes ask at all.
#[derive(Debug)]
pub struct Beliefs {
    /// Whether any route asks.
    pub(crate) any: bool,
    /// By [`RouteId`].
    asks: Box<[bool]>,
    homes: Homes,
    seal: Seal,
}

/// What one request says.
#[derive(Debug)]
pub(crate) struct Claims {
    home: Option<Box<str>>,
    pinned: Option<Pinned>,
    /// Whether the session leaves the place that it is pinned to for good.
    moves: bool,
    hash: u64,
    /// Whether its method is one whose answers caches store.
    is_read: bool,
}

impl Beliefs {
    /// What `generation` believes: what `certificates`' fleet keys and the keys of `homes` have signed.
    #[must_use]
    pub fn new(generation: &Generation, certificates: &Table, homes: Homes) -> Self {
        let asks = |route: &Route| route.home.is_some() || pool(generation, route).is_some_and(pool_asks);
        let asks: Box<[bool]> = generation.routes.routes().iter().map(asks).collect();
        Self { any: asks.contains(&true), asks, homes, seal: certificates.seal("affinity") }
    }
}

impl Claims {
    /// Adds to `facts` what is believed.
    pub(crate) fn tell<'f>(&'f self, facts: &mut Facts<'f>) {
        facts.home = self.home.as_deref();
        facts.pin = self.pinned.map(|pinned| pinned.pin);
        facts.hash = self.hash;
    }
}

/// What the request with this head says, where its route asks; what is not believed is counted.
pub(crate) fn read(visit: &Visit<'_>, head: &RequestHead) -> Option<Box<Claims>> {
    let (generation, beliefs) = (&visit.live.generation, &visit.live.beliefs);
    let id = generation.routes.find(head.authority().host(), head.path(), head.method_text()).ok()?;
    beliefs.asks.get(id.index()).filter(|asks| **asks)?;
    let route = generation.routes.route(id)?;
    let mut claims = Claims {
        home: home(visit, head, (id, route)),
        pinned: None,
        moves: false,
        hash: 0,
        is_read: matches!(head.method(), Method::Get | Method::Head),
    };
    if let Some(pool) = pool(generation, route) {
        claims.hash = match &pool.select.balance {
            Balance::Hash(key) => hash(visit, head, key),
            Balance::P2c | Balance::RoundRobin => 0,
        };
        claims.pinned = pinned(visit, head, pool);
        claims.moves = claims.pinned.is_some_and(|pinned| {
            let mut facts = visit.facts(head);
            claims.tell(&mut facts);
            let law = Law::of(&route.residency, generation, &facts);
            let home = route.home.as_ref().zip(facts.home).and_then(|(home, value)| home.region(value));
            !session::stands(generation, pool, pinned.pin.first, (law, home))
        });
    }
    Some(Box::new(claims))
}

fn pool<'g>(generation: &'g Generation, route: &Route) -> Option<&'g Pool> {
    match &route.action {
        Action::Forward(pool) => generation.pool(*pool),
        Action::Answer(_) => None,
    }
}

fn pool_asks(pool: &Pool) -> bool {
    pool.affinity.is_some() || matches!(pool.select.balance, Balance::Hash(_))
}

fn home(visit: &Visit<'_>, head: &RequestHead, (id, route): (RouteId, &Route)) -> Option<Box<str>> {
    let now = visit.live.evidence.at(visit.started).as_millis() / 1000;
    let said = home::read(head, (id, route.home.as_ref()?), &visit.live.beliefs.homes, now);
    said.unwrap_or_else(|doubt| {
        visit.worker.edge.metrics.disbelieved(doubt);
        None
    })
}

/// The first cookie of the pool's that holds; where none does, the first is counted for what it is.
fn pinned(visit: &Visit<'_>, head: &RequestHead, pool: &Pool) -> Option<Pinned> {
    let affinity = pool.affinity.as_ref()?;
    let (generation, now) = (&visit.live.generation, visit.live.evidence.at(visit.started));
    let mut doubt: Option<Disbelieved> = None;
    for value in cookies::find(head.fields(), &affinity.cookie).take(cookies::MOST) {
        match pin::open(value, &visit.live.beliefs.seal, (generation, pool, affinity), now) {
            Ok(pinned) => return Some(pinned),
            Err(why) => doubt = doubt.or(Some(why)),
        }
    }
    doubt.into_iter().for_each(|doubt| visit.worker.edge.metrics.disbelieved(doubt));
    None
}

/// A number for what the request is hashed by. One that does not have it goes anywhere, and stays there with its repeats.
fn hash(visit: &Visit<'_>, head: &RequestHead, key: &HashKey) -> u64 {
    let text = |bytes: &[u8]| salt(&String::from_utf8_lossy(bytes));
    let found = match key {
        HashKey::Client => Some(match visit.facts(head).client.ip().to_canonical() {
            IpAddr::V4(address) => mix(u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let [high, low] = [address.to_bits() >> 64, address.to_bits() & u128::from(u64::MAX)];
                let half = |half| u64::try_from(half).unwrap_or(0);
                mix(mix(half(high)) ^ half(low))
            }
        }),
        HashKey::Path => Some(salt(head.path())),
        HashKey::Header(name) => head.fields().get_name(name).map(text),
        HashKey::Cookie(name) => cookies::find(head.fields(), name).next().map(text),
    };
    found.unwrap_or(visit.number)
}
