//! Session tickets that another PoP with the same fleet key resumes.
//!
//! A ticket is `epoch | key id | nonce | AES-256-GCM(session)`. Its key derives from a key of the fleet, the
//! epoch and the scope (client authentication and certificate), so a session of one scope opens in no other, and
//! nothing has to be kept or exchanged.

use crate::clock::Clock;
use crate::identity::Identity;
use crate::keys::{Keys, Secret};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;
use std::fmt;

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
}

impl Tickets {
    pub(crate) fn new(keys: Keys, scope: Identity) -> Self {
        Self { keys, scope }
    }

    fn epoch(clock: &Clock) -> u32 {
        u32::try_from(clock.seconds() / u64::from(EPOCH_SECONDS)).unwrap_or(u32::MAX)
    }

    fn key(&self, secret: &Secret, epoch: u32) -> Option<RandomizedNonceKey> {
        let derived = secret.derive("ticket", &[&epoch.to_be_bytes(), self.scope.as_bytes()]);
        RandomizedNonceKey::new(&AES_256_GCM, &derived).ok()
    }
}

fn key_id(secret: &Secret) -> [u8; 4] {
    let derived = secret.derive("ticket key id", &[]);
    derived.first_chunk().copied().unwrap_or_default()
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        EPOCH_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let secret = self.keys.secrets().first()?;
        let epoch = Self::epoch(self.keys.clock());
        let mut header = [0; HEADER];
        let fields = epoch.to_be_bytes().into_iter().chain(key_id(secret));
        header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let mut sealed = plain.to_vec();
        let nonce =
            self.key(secret, epoch)?.seal_in_place_append_tag(Aad::from(&header), &mut sealed).ok()?;
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
        // The clocks of two PoPs may stand on different sides of an epoch's end.
        if epoch.abs_diff(Self::epoch(self.keys.clock())) > 1 {
            return None;
        }
        let secrets = self.keys.secrets().iter().filter(|secret| key_id(secret) == *id);
        let mut open = secrets.filter_map(|secret| {
            let mut sealed = sealed.to_vec();
            let key = self.key(secret, epoch)?;
            let plain = key.open_in_place(Nonce::from(nonce), Aad::from(header), &mut sealed).ok()?;
            Some(plain.to_vec())
        });
        open.next()
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
