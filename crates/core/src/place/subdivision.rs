//! Subdivisions of countries: states, provinces, Länder.

use super::country::Country;
use std::fmt;

/// A subdivision by its ISO 3166-2 code, such as `US-CA`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subdivision {
    country: Country,
    /// The part behind the hyphen; what it does not fill is 0.
    local: [u8; 3],
}

impl Subdivision {
    /// Reads a code in any case; `None` for what cannot be one. Which local parts a country has is not checked.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (country, local) = text.split_once('-')?;
        Self::new(Country::parse(country)?, local)
    }

    /// The subdivision `local` of `country`, as tables have it: one to three letters or digits.
    #[must_use]
    pub fn new(country: Country, local: &str) -> Option<Self> {
        let fits = (1..=3).contains(&local.len()) && local.bytes().all(|b| b.is_ascii_alphanumeric());
        if !fits || country == Country::UNKNOWN {
            return None;
        }
        let mut bytes = [0; 3];
        bytes.iter_mut().zip(local.bytes()).for_each(|(to, from)| *to = from.to_ascii_uppercase());
        Some(Self { country, local: bytes })
    }

    /// Its country.
    #[must_use]
    pub fn country(self) -> Country {
        self.country
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = std::str::from_utf8(&self.local).unwrap_or_default();
        write!(f, "{}-{}", self.country, local.trim_end_matches('\0'))
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_country_and_up_to_three_letters_or_digits() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Subdivision::parse(text).map(|it| it.to_string()).as_deref(), expected, "{text}");
        };
        check("us-ca", Some("US-CA"));
        check("FR-2A", Some("FR-2A"));
        check("GB-ENG", Some("GB-ENG"));
        for wrong in ["US", "US-", "US-CALI", "QQ-CA", "ZZ-CA", "US-é", "California"] {
            check(wrong, None);
        }
    }
}
