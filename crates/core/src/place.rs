//! Places, always with their kind: a country, a subdivision, a position.

mod countries;

use std::fmt;

/// A country by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Country([u8; 2]);

impl Country {
    /// The unknown country.
    pub const UNKNOWN: Self = Self(*b"ZZ");

    /// Reads an assigned code in any case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 2] = text.as_bytes().try_into().ok()?;
        let code = bytes.map(|b| b.to_ascii_uppercase());
        let code_text = std::str::from_utf8(&code).ok()?;
        (code == *b"ZZ" || countries::COUNTRIES.iter().any(|(known, ..)| *known == code_text))
            .then_some(Self(code))
    }

    /// The code in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// The middle of the country, for a region that declares nothing finer.
    #[must_use]
    pub fn position(self) -> Option<Position> {
        countries::COUNTRIES
            .iter()
            .find(|(code, ..)| *code == self.as_str())
            .and_then(|(_, _, lat, lon)| Position::new(*lat, *lon))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A point on the globe in degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    lat: f64,
    lon: f64,
}

impl Position {
    /// The point; `None` outside -90..=90 and -180..=180.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some(Self { lat, lon })
    }

    /// Degrees north.
    #[must_use]
    pub fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    pub fn lon(self) -> f64 {
        self.lon
    }

    /// The great-circle distance in kilometres (haversine, mean radius 6371 km).
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let cosines = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let h = half(self.lat, other.lat) + cosines * half(self.lon, other.lon);
        2.0 * 6371.0 * h.sqrt().min(1.0).asin()
    }
}

/// Where a region or a PoP stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its country.
    pub country: Country,
    /// Its ISO 3166-2 subdivision.
    pub state: Option<Box<str>>,
    /// Its position; the middle of the country where none is declared.
    pub position: Option<Position>,
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
    fn frankfurt_and_dublin_are_about_1090_km_apart() {
        let frankfurt = Position::new(50.11, 8.68).unwrap();
        let dublin = Position::new(53.35, -6.26).unwrap();
        assert!((frankfurt.distance_km(dublin) - 1090.0).abs() < 10.0);
        assert_eq!(Position::new(91.0, 0.0), None);
    }
}
