//! What a table says of a network.

use crate::value::Value;
use nearside_core::place::{Continent, Country, Place, Position, Subdivision};

/// What a table says of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Record {
    /// Where it is, with what follows from the country.
    pub(crate) place: Place,
    /// Whether the position is the table's own, and not the middle of the country.
    pub(crate) exact: bool,
    /// The autonomous system that announces it.
    pub(crate) asn: Option<u32>,
}

/// Where vendors keep things: nested (MaxMind, DB-IP), then flat (ip-location-db, IPinfo, IPLocate).
type Paths = &'static [&'static [&'static str]];
const COUNTRY: Paths = &[&["country", "iso_code"], &["country_code"], &["country"]];
const REGISTERED: Paths = &[&["registered_country", "iso_code"]];
const CONTINENT: Paths = &[&["continent", "code"], &["continent_code"], &["continent"]];
const STATE: Paths = &[&["subdivisions", "0", "iso_code"], &["region_code"], &["state_code"]];
const LATITUDE: Paths = &[&["location", "latitude"], &["latitude"], &["lat"]];
const LONGITUDE: Paths = &[&["location", "longitude"], &["longitude"], &["lng"], &["lon"]];
const ASN: Paths = &[&["autonomous_system_number"], &["asn"]];

impl Record {
    /// Nothing is said.
    pub(crate) const NOTHING: Self = Self { place: Place::UNKNOWN, exact: false, asn: None };

    /// Reads a record of either layout.
    ///
    /// Where the network is registered stands for where it is only when the record has no country at all: a code that is
    /// none leaves the country unknown. The country that a network represents, such as that of a military base, is never
    /// the one it is in.
    pub(crate) fn read(value: &Value<'_>) -> Self {
        let paths = if COUNTRY.iter().any(|path| value.at(path).is_some()) { COUNTRY } else { REGISTERED };
        let country = first(value, paths, |code| Country::parse(code.text()?)).unwrap_or(Country::UNKNOWN);
        let continent = first(value, CONTINENT, |code| Continent::parse(code.text()?));
        let state = first(value, STATE, |code| subdivision(country, code.text()?));
        let latitude = first(value, LATITUDE, Value::real);
        let longitude = first(value, LONGITUDE, Value::real);
        let position = latitude.zip(longitude).and_then(|(lat, lon)| Position::new(lat, lon));
        let place = Place {
            country,
            state,
            continent: continent.or_else(|| country.continent()),
            position: position.or_else(|| country.position()),
        };
        Self { place, exact: position.is_some(), asn: first(value, ASN, asn) }
    }

    /// Adds what another table knows besides, or nothing when the two contradict each other.
    pub(crate) fn add(&mut self, other: &Self) {
        let (place, more) = (&mut self.place, other.place);
        let unknown = place.country == Country::UNKNOWN;
        let countries = !unknown && more.country != Country::UNKNOWN && more.country != place.country;
        let continents = place.continent.zip(more.continent).is_some_and(|(one, two)| one != two);
        if countries || continents {
            return;
        }
        if unknown {
            place.country = more.country;
        }
        place.state = place.state.or(more.state);
        place.continent = place.continent.or(more.continent);
        if !self.exact {
            place.position = more.position.or(place.position);
            self.exact = other.exact;
        }
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::NOTHING
    }
}

fn first<'v, 'a, T>(
    value: &'v Value<'a>,
    paths: Paths,
    read: impl Fn(&'v Value<'a>) -> Option<T>,
) -> Option<T> {
    paths.iter().find_map(|path| value.at(path).and_then(&read))
}

/// `CA`, or `US-CA` as some write it.
fn subdivision(country: Country, text: &str) -> Option<Subdivision> {
    let whole = Subdivision::parse(text).filter(|state| state.country() == country);
    whole.or_else(|| Subdivision::new(country, text))
}

/// `15169`, or `AS15169`.
fn asn(value: &Value<'_>) -> Option<u32> {
    match value {
        Value::Whole(number) => u32::try_from(*number).ok(),
        Value::Text(text) => text.strip_prefix("AS").unwrap_or(text).parse().ok(),
        Value::Map(_) | Value::List(_) | Value::Real(_) | Value::Other => None,
    }
    .filter(|number| *number != 0)
}
