//! Session tickets that another PoP with the same fleet key resumes.
//!
//! A ticket is `epoch | key id | nonce | AES-256-GCM(session)`. Its key derives from a key of the fleet, the
//! epoch and the scope (client authentication and certificate), so a session of one scope opens in no other, and
//! nothing has to be exchanged.

use crate::identity::Identity;
use crate::keys::{Keys, Secret};
use arc_swap::ArcSwapOption;
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;
use std::fmt;
use std::sync::Arc;

/// How long one ticket key signs, and how long a client may keep a ticket.
const EPOCH_SECONDS: u32 = 12 * 60 * 60;
const HEADER: usize = 8;
const NONCE: usize = 12;
/// A session with a client's chain is a few KiB; what is longer was not made here.
const LONGEST: usize = 1 << 15;

/// Makes and opens the tickets of one scope.
pub(crate) struct Tickets {
    keys: Keys,
    scope: Identity,
    /// What was derived last: a handshake wants the same keys as the one before, but for two moments a day.
    derived: ArcSwapOption<Derived>,
}

/// The keys of an epoch and of those beside it, as the clocks of two PoPs may stand on different sides of an epoch's
/// end.
struct Derived {
    epoch: u32,
    keys: Vec<TicketKey>,
}

struct TicketKey {
    epoch: u32,
    id: [u8; 4],
    key: RandomizedNonceKey,
}

impl Tickets {
    pub(crate) fn new(keys: Keys, scope: Identity) -> Self {
        Self { keys, scope, derived: ArcSwapOption::empty() }
    }

    /// The keys of now. Two that find none may both derive them: they are the same.
    fn now(&self) -> Arc<Derived> {
        let epoch = self.keys.clock().seconds() / u64::from(EPOCH_SECONDS);
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        if let Some(derived) = self.derived.load_full().filter(|derived| derived.epoch == epoch) {
            return derived;
        }
        let epochs = [epoch, epoch.saturating_sub(1), epoch.saturating_add(1)];
        let keys = epochs
            .into_iter()
            .flat_map(|epoch| self.keys.secrets().iter().filter_map(move |secret| self.key(secret, epoch)));
        let derived = Arc::new(Derived { epoch, keys: keys.collect() });
        self.derived.store(Some(Arc::clone(&derived)));
        derived
    }

    fn key(&self, secret: &Secret, epoch: u32) -> Option<TicketKey> {
        let derived = secret.derive("ticket", &[&epoch.to_be_bytes(), self.scope.as_bytes()]);
        let id = secret.derive("ticket key id", &[]).first_chunk().copied()?;
        Some(TicketKey { epoch, id, key: RandomizedNonceKey::new(&AES_256_GCM, &derived).ok()? })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        EPOCH_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let derived = self.now();
        // Of the present epoch, and of the first of the fleet's keys.
        let TicketKey { epoch, id, key } = derived.keys.first()?;
        let mut header = [0; HEADER];
        let fields = epoch.to_be_bytes().into_iter().chain(*id);
        header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(&header), &mut sealed).ok()?;
        Some([&header, nonce.as_ref().as_slice(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > LONGEST {
            return None;
        }
        let (header, rest) = ticket.split_first_chunk::<HEADER>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let (epoch, id) = header.split_first_chunk::<4>()?;
        let epoch = u32::from_be_bytes(*epoch);
        let derived = self.now();
        let mut keys = derived.keys.iter().filter(|key| key.epoch == epoch && key.id == *id);
        keys.find_map(|TicketKey { key, .. }| {
            let mut sealed = sealed.to_vec();
            let plain = key.open_in_place(Nonce::from(nonce), Aad::from(header), &mut sealed).ok()?;
            Some(plain.to_vec())
        })
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn tickets(scope: &str) -> Tickets {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.key");
        crate::file::replace(&path, "ab".repeat(32).as_bytes(), 0o600).unwrap();
        let clock = Clock::new(|| 1_790_000_000);
        let (keys, _) = Keys::load(Some(&path), folder.path(), clock).unwrap();
        Tickets::new(keys, Identity::of([scope]))
    }

    #[test]
    fn a_ticket_opens_in_its_scope_alone() {
        let ticket = tickets("a").encrypt(b"session").unwrap();
        assert_eq!(tickets("a").decrypt(&ticket).as_deref(), Some(b"session".as_slice()));
        assert_eq!(tickets("b").decrypt(&ticket), None);
        assert_ne!(tickets("a").encrypt(b"session").unwrap(), ticket, "nonces are random");
        assert!(!ticket.windows(7).any(|part| part == b"session"));
    }

    #[test]
    fn a_ticket_opens_until_the_epoch_after_its_own_has_ended() {
        static NOW: AtomicU64 = AtomicU64::new(0);
        let (folder, epoch) = (tempfile::tempdir().unwrap(), u64::from(EPOCH_SECONDS));
        let at = |number: u64| NOW.store(number * epoch, Ordering::Relaxed);
        let (keys, _) = Keys::load(None, folder.path(), Clock::new(|| NOW.load(Ordering::Relaxed))).unwrap();
        let (tickets, other) =
            (Tickets::new(keys.clone(), Identity::of(["a"])), Tickets::new(keys, Identity::of(["a"])));
        at(100);
        let ticket = tickets.encrypt(b"session").unwrap();
        for (number, opens) in [(99, true), (100, true), (101, true), (98, false), (102, false)] {
            at(number);
            for tickets in [&tickets, &other] {
                assert_eq!(tickets.decrypt(&ticket).is_some(), opens, "in epoch {number}");
            }
        }
        at(101);
        assert_ne!(tickets.encrypt(b"session").unwrap()[..4], ticket[..4], "each epoch has a key of its own");
    }

    #[test]
    fn a_ticket_that_was_touched_or_cut_does_not_open() {
        let tickets = tickets("a");
        let ticket = tickets.encrypt(b"session").unwrap();
        for index in 0..ticket.len() {
            let mut touched = ticket.clone();
            touched[index] ^= 1;
            assert_eq!(tickets.decrypt(&touched), None, "byte {index}");
            assert_eq!(tickets.decrypt(&ticket[..index]), None, "cut at {index}");
        }
        assert_eq!(tickets.decrypt(&vec![0; LONGEST + 1]), None);
    }
}
