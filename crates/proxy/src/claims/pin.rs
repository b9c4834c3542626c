//! The pin of a session, as its cookie holds it.
//!
//! The cookie is signed and bears no name in clear: pool, region and backend are the numbers that stand for their names,
//! equal on every PoP and in every generation. What they mean is looked up in the live one, so a reload keeps sessions.

use nearside_core::generation::{Generation, Pool};
use nearside_core::policy::{Affinity, Level};
use nearside_core::random::salt;
use nearside_core::{BackendId, Now, Pin, RegionId, Target};
use nearside_telemetry::Disbelieved;
use nearside_tls::Seal;

/// The form that is written here.
const FORM: u8 = 1;
/// The form, the level, and pool, first, second, session and time.
const BYTES: usize = 2 + 5 * 8;

/// A pin and the session that it is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pinned {
    pub(super) pin: Pin,
    /// The number of the session, which its places are drawn with.
    pub(super) session: u64,
    /// When the cookie was set.
    pub(super) at: Now,
}

/// The value of a cookie for `pinned`.
pub(super) fn close(
    pinned: &Pinned,
    seal: &Seal,
    (generation, pool, affinity): (&Generation, &Pool, &Affinity),
) -> String {
    let number = |target: Option<Target>| match target {
        Some(Target::Region(id)) => generation.region(id).map_or(0, |region| region.salt),
        Some(Target::Backend(id)) => generation.backend(id).map_or(0, |backend| backend.salt),
        None => 0,
    };
    let Pinned { pin, session, at } = pinned;
    let numbers = [salt(&pool.name), number(pin.first), number(pin.second), *session, at.as_millis()];
    let mut message = vec![FORM, level(affinity)];
    message.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    seal.close(&message)
}

/// What the cookie `value` says to `pool` at `now`.
///
/// # Errors
/// Why it is not believed.
pub(super) fn open(
    value: &[u8],
    seal: &Seal,
    (generation, pool, affinity): (&Generation, &Pool, &Affinity),
    now: Now,
) -> Result<Pinned, Disbelieved> {
    let message: [u8; BYTES] = seal.open(value).ok_or(Disbelieved::AffinityForged)?;
    let [form, written_for, numbers @ ..] = message;
    let mut numbers = numbers.as_chunks().0.iter().map(|bytes| u64::from_be_bytes(*bytes));
    let mut next = || numbers.next().unwrap_or(0);
    let (of, first, second, session, at) = (next(), next(), next(), next(), Now::from_millis(next()));
    if form != FORM || of != salt(&pool.name) {
        return Err(Disbelieved::AffinityForeign);
    }
    if affinity.ttl.is_some_and(|ttl| now.since(at) > ttl) {
        return Err(Disbelieved::AffinityExpired);
    }
    let find = |number: u64| match affinity.level {
        _ if written_for != level(affinity) => None,
        Level::Region => {
            let index = generation.regions.iter().position(|region| region.salt == number)?;
            Some(Target::Region(RegionId::new(index)))
        }
        Level::Backend => {
            let index = generation.backends_of(pool).iter().position(|backend| backend.salt == number)?;
            Some(Target::Backend(BackendId::new(pool.first.index() + index)))
        }
    };
    Ok(Pinned { pin: Pin { first: find(first), second: find(second) }, session, at })
}

fn level(affinity: &Affinity) -> u8 {
    match affinity.level {
        Level::Region => b'r',
        Level::Backend => b'b',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::generation::{Backend, Backends, Endpoint, Region};
    use nearside_tls::{Clock, Keys};
    use proptest::prelude::{any, prop_assert_eq};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use std::time::Duration;

    /// One pool, `web`, with backends written as `name@region`.
    fn generation(level: Level, backends: &[&str]) -> Generation {
        let mut regions: Vec<Region> = Vec::new();
        let mut backend = |text: &&str| {
            let (name, region) = text.split_once('@').unwrap();
            let known = regions.iter().position(|known| &*known.name == region);
            let index = known.unwrap_or_else(|| {
                regions.push(Region::new(region));
                regions.len() - 1
            });
            let pool = (nearside_core::PoolId::new(0), "web");
            Backend::new(pool, name, Endpoint::unix("/x"), RegionId::new(index))
        };
        let backends: Backends = backends.iter().map(&mut backend).collect();
        let affinity =
            Affinity { cookie: "pin".into(), ttl: Some(Duration::from_secs(60)), level, backup: true };
        let pool = Pool { affinity: Some(affinity), ..Pool::new("web", BackendId::new(0), backends.len()) };
        Generation { regions: regions.into(), pools: Box::new([pool]), backends, ..Generation::default() }
    }

    fn seal(key: &str) -> Seal {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.key");
        std::fs::write(&path, key.repeat(32)).unwrap();
        Keys::load(Some(&path), folder.path(), Clock::system()).unwrap().0.seal("affinity")
    }

    fn at(seconds: u64) -> Now {
        Now::from_millis(1_790_000_000_000 + seconds * 1000)
    }

    /// A cookie of a session that the backend with this id has served.
    fn cookie(generation: &Generation, id: usize) -> String {
        let pool = &generation.pools[0];
        let pin = Pin::new(generation, pool, BackendId::new(id), 7);
        let pinned = Pinned { pin, session: 7, at: at(0) };
        close(&pinned, &seal("ab"), (generation, pool, pool.affinity.as_ref().unwrap()))
    }

    fn read(cookie: &str, generation: &Generation, seal: &Seal, now: u64) -> Result<Pinned, Disbelieved> {
        let pool = &generation.pools[0];
        open(cookie.as_bytes(), seal, (generation, pool, pool.affinity.as_ref().unwrap()), at(now))
    }

    #[test]
    fn a_pin_means_the_same_places_in_a_generation_of_another_order() {
        let before = generation(Level::Region, &["a@fra", "b@dub"]);
        let text = cookie(&before, 0);
        let after = generation(Level::Region, &["c@iad", "b@dub", "a@fra"]);
        let pinned = read(&text, &after, &seal("ab"), 0).unwrap();
        let region = |index| Some(Target::Region(RegionId::new(index)));
        assert_eq!((pinned.pin.first, pinned.pin.second), (region(2), region(1)));
        assert_eq!((pinned.session, pinned.at), (7, at(0)));
        let gone = read(&text, &generation(Level::Region, &["c@iad", "b@dub"]), &seal("ab"), 0).unwrap();
        assert_eq!((gone.pin.first, gone.pin.second), (None, region(1)));
    }

    #[test]
    fn a_pin_of_another_level_keeps_the_session_and_no_place() {
        let before = generation(Level::Backend, &["a@fra", "b@fra", "c@dub"]);
        let text = cookie(&before, 1);
        let pinned = read(&text, &before, &seal("ab"), 0).unwrap();
        assert_eq!(pinned.pin.first, Some(Target::Backend(BackendId::new(1))));
        assert_eq!(pinned.pin.second, Some(Target::Backend(BackendId::new(0))), "its own region comes first");
        let other = read(&text, &generation(Level::Region, &["a@fra", "c@dub"]), &seal("ab"), 0).unwrap();
        assert_eq!((other.pin, other.session), (Pin { first: None, second: None }, 7));
    }

    #[test]
    fn what_is_not_ours_or_over_is_not_believed() {
        let generation = generation(Level::Region, &["a@fra", "b@dub"]);
        let (text, ours) = (cookie(&generation, 0), seal("ab"));
        assert_eq!(read(&text, &generation, &ours, 60).map(|pinned| pinned.session), Ok(7));
        assert_eq!(read(&text, &generation, &ours, 61), Err(Disbelieved::AffinityExpired));
        assert_eq!(read(&text, &generation, &seal("cd"), 0), Err(Disbelieved::AffinityForged));
        for forged in ["", "frankfurt", &format!("A{text}"), &text.to_ascii_lowercase()] {
            assert_eq!(read(forged, &generation, &ours, 0), Err(Disbelieved::AffinityForged), "{forged}");
        }
        let mut renamed = generation.clone();
        renamed.pools[0].name = "other".into();
        assert_eq!(read(&text, &renamed, &ours, 0), Err(Disbelieved::AffinityForeign));
    }

    /// What someone makes of a cookie, in one of five ways.
    fn spoil(how: u8, text: &str, at: usize, byte: u8) -> String {
        let (place, sign) = (at % text.len(), char::from(byte % 94 + 33));
        let (before, after) = text.split_at(place);
        match how {
            0 => text.to_owned(),
            1 => before.to_owned(),
            2 => format!("{before}{sign}{}", after.get(1..).unwrap()),
            3 => format!("{before}{sign}{after}"),
            _ => sign.to_string().repeat(at),
        }
    }

    /// Drawn cookies: of another fleet, of another pool, too old, and changed in every way. None is believed but the one
    /// that was set, so that a decision hears of no other.
    #[test]
    fn no_cookie_is_believed_but_the_one_that_was_set() {
        let drawn = (0..5_u8, 0..120_usize, any::<u8>(), 0..3_u8, any::<bool>(), 0..120_u64);
        let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let ours = generation(Level::Region, &["a@fra", "b@dub"]);
        let mut theirs = ours.clone();
        theirs.pools[0].name = "other".into();
        let (home, abroad, text) = (seal("ab"), seal("cd"), cookie(&ours, 0));
        let outcome = runner.run(&drawn, |(how, at, byte, fleet, foreign, age)| {
            let sent = spoil(how, &text, at, byte);
            let seal = if fleet == 0 { &abroad } else { &home };
            let found = read(&sent, if foreign { &theirs } else { &ours }, seal, age);
            let expected = match () {
                () if sent != text || fleet == 0 => Err(Disbelieved::AffinityForged),
                () if foreign => Err(Disbelieved::AffinityForeign),
                () if age > 60 => Err(Disbelieved::AffinityExpired),
                () => Ok(7),
            };
            prop_assert_eq!(found.map(|pinned| pinned.session), expected, "{} after {} s", sent, age);
            Ok(())
        });
        outcome.unwrap();
    }

    #[test]
    fn a_cookie_tells_no_names() {
        let text = cookie(&generation(Level::Backend, &["https://secret.internal@fra", "b@dub"]), 0);
        assert_eq!(text.len(), 99);
        let plain = data(&text);
        assert!(!plain.windows(6).any(|part| part == b"secret" || part == b"intern"));
    }

    /// The bytes of base64url.
    fn data(text: &str) -> Vec<u8> {
        let digit = |byte: u8| {
            let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            u32::try_from(digits.iter().position(|digit| *digit == byte).unwrap()).unwrap()
        };
        let quartets = text.as_bytes().chunks(4);
        quartets
            .flat_map(|four| {
                let bits =
                    four.iter().fold(0, |bits, byte| bits << 6 | digit(*byte)) << (6 * (4 - four.len()));
                bits.to_be_bytes()[1..].to_vec()
            })
            .collect()
    }
}
