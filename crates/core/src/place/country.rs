//! Countries.

use super::continent::Continent;
use super::countries::COUNTRIES;
use super::position::Position;
use std::fmt;

/// A country by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Country([u8; 2]);

impl Country {
    /// The unknown country.
    pub const UNKNOWN: Self = Self(*b"ZZ");

    /// Reads an assigned code in any case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 2] = text.as_bytes().try_into().ok()?;
        let country = Self(bytes.map(|b| b.to_ascii_uppercase()));
        (country == Self::UNKNOWN || country.row().is_some()).then_some(country)
    }

    /// Every assigned country, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().filter_map(|(code, ..)| code.as_bytes().try_into().ok().map(Self))
    }

    /// The code in upper case, in ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The code in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// How many numbers there are.
    pub(super) const NUMBERS: usize = 26 * 26;

    /// A number below [`NUMBERS`](Self::NUMBERS), for sets.
    pub(super) fn number(self) -> usize {
        Self::number_of(self.0)
    }

    /// The number of a code of two capitals.
    pub(super) const fn number_of([first, second]: [u8; 2]) -> usize {
        (first.wrapping_sub(b'A') as usize % 26) * 26 + second.wrapping_sub(b'A') as usize % 26
    }

    /// Its continent.
    #[must_use]
    pub fn continent(self) -> Option<Continent> {
        self.row().map(|(_, continent, ..)| *continent)
    }

    /// Where its people are, in the middle: for whatever declares nothing finer.
    #[must_use]
    pub fn position(self) -> Option<Position> {
        self.row().and_then(|(_, _, lat, lon)| Position::new(*lat, *lon))
    }

    fn row(self) -> Option<&'static (&'static str, Continent, f64, f64)> {
        let found = COUNTRIES.binary_search_by(|(code, ..)| code.as_bytes().cmp(&self.0)).ok()?;
        COUNTRIES.get(found)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_an_assigned_country() {
        assert_eq!(Country::parse("no").map(|c| c.to_string()).as_deref(), Some("NO"));
        assert_eq!(Country::parse("ZZ"), Some(Country::UNKNOWN));
        assert_eq!(Country::parse("QQ"), None);
        assert_eq!(Country::parse("EUR"), None);
    }

    #[test]
    fn every_country_is_found_with_its_continent_and_position() {
        assert_eq!(Country::all().count(), 250);
        assert!(Country::all().all(|country| country.continent().is_some() && country.position().is_some()));
        assert_eq!(Country::parse("NA").and_then(Country::continent), Some(Continent::Africa));
        assert_eq!(Country::UNKNOWN.continent(), None);
    }
}
