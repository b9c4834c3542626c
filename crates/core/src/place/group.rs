//! Groups of countries that law treats alike.

use super::country::Country;
use std::fmt;

/// A group of countries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Group {
    /// The 27 members of the European Union.
    Eu,
    /// The European Economic Area: the Union with Iceland, Liechtenstein and Norway.
    Eea,
    /// Where the General Data Protection Regulation holds: the Economic Area and those parts of the Union that have
    /// codes of their own (Åland and the outermost regions).
    Gdpr,
}

const EU: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];
const EEA_BESIDES: &[&str] = &["IS", "LI", "NO"];
const GDPR_BESIDES: &[&str] = &["AX", "GF", "GP", "MF", "MQ", "RE", "YT"];

impl Group {
    /// Every group.
    pub const ALL: [Self; 3] = [Self::Eu, Self::Eea, Self::Gdpr];

    /// Reads a name in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str().eq_ignore_ascii_case(text))
    }

    /// The name in upper case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eu => "EU",
            Self::Eea => "EEA",
            Self::Gdpr => "GDPR",
        }
    }

    /// Whether `country` belongs to it.
    #[must_use]
    pub fn holds(self, country: Country) -> bool {
        let members = match self {
            Self::Eu => &EU_SET,
            Self::Eea => &EEA_SET,
            Self::Gdpr => &GDPR_SET,
        };
        members.get(country.number() / 64).is_some_and(|word| word & (1 << (country.number() % 64)) != 0)
    }
}

/// Countries by their numbers.
type Members = [u64; Country::NUMBERS.div_ceil(64)];

static EU_SET: Members = members(&[EU]);
static EEA_SET: Members = members(&[EU, EEA_BESIDES]);
static GDPR_SET: Members = members(&[EU, EEA_BESIDES, GDPR_BESIDES]);

/// Works out a set while the program is compiled: one word is looked at for each request.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
const fn members(lists: &[&[&str]]) -> Members {
    let mut members = [0; Country::NUMBERS.div_ceil(64)];
    let mut list = 0;
    while list < lists.len() {
        let mut entry = 0;
        while entry < lists[list].len() {
            let code = lists[list][entry].as_bytes();
            let number = Country::number_of([code[0], code[1]]);
            members[number / 64] |= 1 << (number % 64);
            entry += 1;
        }
        list += 1;
    }
    members
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(code: &str) -> Vec<&'static str> {
        let country = Country::parse(code).unwrap();
        Group::ALL.iter().filter(|group| group.holds(country)).map(|group| group.as_str()).collect()
    }

    #[test]
    fn norway_is_in_the_area_and_reunion_is_under_the_regulation_alone() {
        assert_eq!(groups("DE"), ["EU", "EEA", "GDPR"]);
        assert_eq!(groups("NO"), ["EEA", "GDPR"]);
        assert_eq!(groups("RE"), ["GDPR"]);
        for outside in ["CH", "GB", "GI", "ZZ"] {
            assert_eq!(groups(outside), Vec::<&str>::new(), "{outside}");
        }
    }

    #[test]
    fn their_sizes_are_those_of_the_treaties() {
        let size = |group: Group| Country::all().filter(|country| group.holds(*country)).count();
        assert_eq!(Group::ALL.map(size), [27, 30, 37]);
    }
}
