//! A new table against the one in use: an older or an absurdly different one is a mishap, not an edition.

use crate::error::Error;
use crate::table::{Table, date};
use nearside_core::place::Country;
use std::collections::BTreeMap;

/// How many networks a table knows something of, altogether and by country.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// All of them.
    pub(crate) all: u64,
    by_country: BTreeMap<Country, u64>,
}

impl Networks {
    /// Counts a network.
    pub(crate) fn count(&mut self, country: Country) {
        self.all += 1;
        *self.by_country.entry(country).or_default() += 1;
    }

    fn of(&self, country: Country) -> u64 {
        self.by_country.get(&country).copied().unwrap_or_default()
    }
}

/// An edition moves a share by a fifth at most; so few networks are no share.
const FIFTH: u64 = 5;
const FEW: u64 = 100;

/// Checks a new edition of a table against the one in use.
///
/// # Errors
/// It was built before, or it knows a fifth more or fewer networks, altogether or, by their share, of a country.
pub(crate) fn check(new: &Table, running: &Table) -> Result<(), Error> {
    if new.built < running.built {
        let (built, running) = (date(new.built), date(running.built));
        return Err(Error::Older { path: new.path.clone(), built, running });
    }
    let (now, before) = (&new.networks, &running.networks);
    let differs = |of: String, networks: u64, expected: u64| {
        let room = expected / FIFTH + FEW;
        let fits = networks.abs_diff(expected) <= room;
        if fits { Ok(()) } else { Err(Error::Different { path: new.path.clone(), of, networks, expected }) }
    };
    differs("altogether".to_owned(), now.all, before.all)?;
    before.by_country.keys().chain(now.by_country.keys()).try_for_each(|country| {
        let expected = before.of(*country).saturating_mul(now.all) / before.all.max(1);
        differs(format!("in {country}"), now.of(*country), expected)
    })
}
