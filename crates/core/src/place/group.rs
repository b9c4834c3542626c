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
        let lists: &[&[&str]] = match self {
            Self::Eu => &[EU],
            Self::Eea => &[EU, EEA_BESIDES],
            Self::Gdpr => &[EU, EEA_BESIDES, GDPR_BESIDES],
        };
        lists.iter().any(|list| list.contains(&country.as_str()))
    }
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
