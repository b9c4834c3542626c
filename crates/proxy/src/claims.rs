//! Claims: what a request says of itself besides host, path and method, and what of that is believed: the home of its
//! user, the pin of its session, the key that it is hashed by.

mod cookies;
mod home;
mod pin;
mod session;
mod storage;

pub(crate) use cookies::strip;
pub(crate) use session::keep;

use nearside_core::generation::{Generation, Pool};
use nearside_core::policy::{Balance, HashKey};
use nearside_core::random::{mix, salt};
use nearside_core::residency::Law;
use nearside_core::route::Action;
use nearside_core::{Facts, Now, Route, RouteId};
use nearside_http::{Method, RequestHead};
use nearside_telemetry::Disbelieved;
use nearside_tls::{Homes, Seal};
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

/// For what the fleet's keys seal affinity cookies.
pub const SEAL: &str = "affinity";

/// Who is told what a request says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) generation: &'a Generation,
    pub(crate) beliefs: &'a Beliefs,
    pub(crate) now: Now,
    /// The request's own number, for what it has nothing to be hashed by.
    pub(crate) number: u64,
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
    /// What `generation` believes: what the fleet's keys have signed with `seal`, and the keys of `homes`.
    #[must_use]
    pub fn new(generation: &Generation, seal: Seal, homes: Homes) -> Self {
        let asks = |route: &Route| route.home.is_some() || pool(generation, route).is_some_and(pool_asks);
        let asks: Box<[bool]> = generation.routes.routes().iter().map(asks).collect();
        Self { any: asks.contains(&true), asks, homes, seal }
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

impl Reader<'_> {
    /// What the request with this head and these facts says, where its route asks; what is not believed goes to `doubts`.
    pub(crate) fn read(
        &self,
        head: &RequestHead,
        facts: &Facts<'_>,
        mut doubts: impl FnMut(Disbelieved),
    ) -> Option<Box<Claims>> {
        let (generation, beliefs) = (self.generation, self.beliefs);
        let id = generation.routes.find(facts.host, facts.path, facts.method).ok()?;
        beliefs.asks.get(id.index()).filter(|asks| **asks)?;
        let route = generation.routes.route(id)?;
        let mut claims = Claims {
            home: self.home(head, (id, route), &mut doubts),
            pinned: None,
            moves: false,
            hash: 0,
            is_read: matches!(head.method(), Method::Get | Method::Head),
        };
        if let Some(pool) = pool(generation, route) {
            claims.hash = match &pool.select.balance {
                Balance::Hash(key) => hash(head, facts, key).unwrap_or(self.number),
                Balance::P2c | Balance::RoundRobin => 0,
            };
            claims.pinned = self.pinned(head, pool, &mut doubts);
            claims.moves = claims.pinned.is_some_and(|pinned| {
                let mut facts = *facts;
                claims.tell(&mut facts);
                let law = Law::of(route, generation, &facts);
                let home = route.home.as_ref().zip(facts.home).and_then(|(home, value)| home.region(value));
                !session::stands(generation, pool, pinned.pin.first, (law, home))
            });
        }
        Some(Box::new(claims))
    }

    fn home(
        &self,
        head: &RequestHead,
        (id, route): (RouteId, &Route),
        doubts: &mut impl FnMut(Disbelieved),
    ) -> Option<Box<str>> {
        let said =
            home::read(head, (id, route.home.as_ref()?), &self.beliefs.homes, self.now.as_millis() / 1000);
        said.unwrap_or_else(|doubt| {
            doubts(doubt);
            None
        })
    }

    /// The first cookie of the pool's that holds; where none does, the first is told for what it is.
    fn pinned(
        &self,
        head: &RequestHead,
        pool: &Pool,
        doubts: &mut impl FnMut(Disbelieved),
    ) -> Option<Pinned> {
        let affinity = pool.affinity.as_ref()?;
        let mut doubt: Option<Disbelieved> = None;
        for value in cookies::find(head.fields(), &affinity.cookie).take(cookies::MOST) {
            match pin::open(value, &self.beliefs.seal, (self.generation, pool, affinity), self.now) {
                Ok(pinned) => return Some(pinned),
                Err(why) => doubt = doubt.or(Some(why)),
            }
        }
        doubt.into_iter().for_each(doubts);
        None
    }
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

/// A number for what the request is hashed by. One that does not have it goes anywhere, and stays there with its repeats.
fn hash(head: &RequestHead, facts: &Facts<'_>, key: &HashKey) -> Option<u64> {
    let text = |bytes: &[u8]| salt(&String::from_utf8_lossy(bytes));
    match key {
        HashKey::Client => Some(match facts.client.ip().to_canonical() {
            IpAddr::V4(address) => mix(u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let [high, low] = [address.to_bits() >> 64, address.to_bits() & u128::from(u64::MAX)];
                let half = |half| u64::try_from(half).unwrap_or(0);
                mix(mix(half(high)) ^ half(low))
            }
        }),
        HashKey::Path => Some(salt(facts.path)),
        HashKey::Header(name) => head.fields().get_name(name).map(text),
        HashKey::Cookie(name) => cookies::find(head.fields(), name).next().map(text),
    }
}
