//! The table that is part of the program: countries, from what the regional registries publish.

use crate::network;
use nearside_core::place::{Country, Place};
use std::net::IpAddr;

/// The places of all countries, so that asking looks nothing up.
#[derive(Debug)]
pub(crate) struct Embedded(Vec<Place>);

const LETTERS: usize = 26;

impl Embedded {
    /// Every country at the number of its code.
    pub(crate) fn new() -> Self {
        let mut places = vec![Place::UNKNOWN; LETTERS * LETTERS];
        for country in Country::all() {
            if let Some(place) = number(country.as_str()).and_then(|number| places.get_mut(number)) {
                *place = Place::of(country);
            }
        }
        Self(places)
    }

    /// Where `address` is registered.
    pub(crate) fn place(&self, address: IpAddr) -> Place {
        let number = iptocc::country_code(address).and_then(number);
        number.and_then(|number| self.0.get(number)).copied().unwrap_or(Place::UNKNOWN)
    }
}

fn number(code: &str) -> Option<usize> {
    let [first, second] = *code.as_bytes() else { return None };
    let letter = |byte: u8| byte.checked_sub(b'A').map(usize::from).filter(|letter| *letter < LETTERS);
    Some(letter(first)? * LETTERS + letter(second)?)
}

/// How long the prefix is of which the answer is taken to hold, since the table does not tell its networks: registries
/// hand out IPv4 in blocks of 256, and IPv6 in blocks of 2^96 out of larger ones.
pub(crate) fn step(address: IpAddr, place: Place) -> u8 {
    match address {
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) if !network::GLOBAL_V6.holds(address) => network::GLOBAL_V6.prefix,
        IpAddr::V6(_) if place == Place::UNKNOWN => 24,
        IpAddr::V6(_) => 32,
    }
}
