//! Areas that rules name, from a network to the world.

use super::{Continent, Country, Group, Place, Subdivision};
use crate::generation::Cidr;
use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;

/// An area that a rule names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Area {
    /// The clients of a network, wherever they are.
    Subnet(Cidr),
    /// A subdivision of a country.
    State(Subdivision),
    /// A country.
    Country(Country),
    /// A group of countries.
    Group(Group),
    /// A continent.
    Continent(Continent),
    /// Everywhere, unknown places included.
    World,
}

/// Whether a client is in an area.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum In {
    Yes,
    No,
    /// What is known of the client does not tell.
    Perhaps,
}

impl Area {
    /// Whether a client at `address`, in `place`, is in it; where that is not known it is not.
    #[must_use]
    pub fn holds(&self, place: &Place, address: IpAddr) -> bool {
        self.contains(place, address) == In::Yes
    }

    fn contains(&self, place: &Place, address: IpAddr) -> In {
        let is = |yes| if yes { In::Yes } else { In::No };
        let known = place.country != Country::UNKNOWN;
        let elsewhere = |country: Country| place.continent.is_some_and(|it| Some(it) != country.continent());
        match self {
            Self::Subnet(network) => is(network.holds(address)),
            Self::Country(country) if known => is(place.country == *country),
            Self::Country(country) if elsewhere(*country) => In::No,
            Self::State(state) if known && place.country != state.country() => In::No,
            Self::State(state) if !known && elsewhere(state.country()) => In::No,
            Self::State(state) => place.state.map_or(In::Perhaps, |at| is(at == *state)),
            Self::Group(group) if known => is(group.holds(place.country)),
            Self::Continent(continent) => place.continent.map_or(In::Perhaps, |at| is(at == *continent)),
            Self::Country(_) | Self::Group(_) => In::Perhaps,
            Self::World => In::Yes,
        }
    }

    /// Sorts the more specific first: longer networks, smaller groups.
    fn rank(&self) -> (u8, Reverse<u8>, Option<Group>) {
        match self {
            Self::Subnet(network) => (0, Reverse(network.prefix), None),
            Self::State(_) => (1, Reverse(0), None),
            Self::Country(_) => (2, Reverse(0), None),
            Self::Group(group) => (3, Reverse(0), Some(*group)),
            Self::Continent(_) => (4, Reverse(0), None),
            Self::World => (5, Reverse(0), None),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subnet(network) => write!(f, "subnet {network}"),
            Self::State(state) => write!(f, "state {state}"),
            Self::Country(country) => write!(f, "country {country}"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::Continent(continent) => write!(f, "continent {continent}"),
            Self::World => f.write_str("world"),
        }
    }
}

/// Values by area; the most specific area that holds a client says which.
#[derive(Clone, Debug, PartialEq)]
pub struct ByArea<T>(Box<[(Area, T)]>);

impl<T> ByArea<T> {
    /// The values of `entries`, in any order.
    #[must_use]
    pub fn new(mut entries: Vec<(Area, T)>) -> Self {
        entries.sort_by_key(|(area, _)| area.rank());
        Self(entries.into())
    }

    /// The entries, the more specific first.
    pub fn iter(&self) -> impl Iterator<Item = &(Area, T)> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What holds for a client at `address`, in `place`, as far as is known.
    #[must_use]
    pub fn find(&self, place: &Place, address: IpAddr) -> Option<&T> {
        self.0.iter().find(|(area, _)| area.holds(place, address)).map(|(_, value)| value)
    }

    /// What surely holds for a client, for law.
    ///
    /// # Errors
    /// A more specific area may hold it: too little is known of its place.
    pub fn judge(&self, place: &Place, address: IpAddr) -> Result<Option<&T>, UnknownPlace> {
        for (area, value) in &self.0 {
            match area.contains(place, address) {
                In::Yes => return Ok(Some(value)),
                In::Perhaps => return Err(UnknownPlace),
                In::No => {}
            }
        }
        Ok(None)
    }
}

impl<T> Default for ByArea<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

/// Too little is known of a place to say which area holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownPlace;

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    fn table() -> ByArea<&'static str> {
        let subnet = |address: &str, prefix| Area::Subnet(Cidr { address: address.parse().unwrap(), prefix });
        ByArea::new(vec![
            (Area::World, "world"),
            (Area::Continent(Continent::NorthAmerica), "north america"),
            (Area::Group(Group::Gdpr), "gdpr"),
            (Area::Group(Group::Eu), "eu"),
            (Area::Country(country("NA")), "namibia"),
            (Area::State(Subdivision::parse("US-CA").unwrap()), "california"),
            (subnet("10.0.0.0", 8), "wide"),
            (subnet("10.1.0.0", 16), "narrow"),
        ])
    }

    fn found(place: Place, address: &str) -> &'static str {
        table().find(&place, address.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_most_specific_area_wins() {
        let california = Place::in_state(Subdivision::parse("US-CA").unwrap());
        assert_eq!(found(california, "10.1.2.3"), "narrow");
        assert_eq!(found(california, "10.2.2.3"), "wide");
        assert_eq!(found(california, "192.0.2.1"), "california");
        assert_eq!(found(Place::of(country("US")), "192.0.2.1"), "north america");
        assert_eq!(found(Place::of(country("NA")), "192.0.2.1"), "namibia");
        assert_eq!(found(Place::of(country("DE")), "192.0.2.1"), "eu");
        assert_eq!(found(Place::of(country("NO")), "192.0.2.1"), "gdpr");
        assert_eq!(found(Place::UNKNOWN, "192.0.2.1"), "world");
    }

    fn judged(areas: &[Area], place: Place) -> Result<Option<Area>, UnknownPlace> {
        let table = ByArea::new(areas.iter().map(|area| (*area, *area)).collect());
        table.judge(&place, "192.0.2.1".parse().unwrap()).map(Option::<&Area>::copied)
    }

    #[test]
    fn law_knows_when_it_does_not_know() {
        let [gdpr, california] =
            [Area::Group(Group::Gdpr), Area::State(Subdivision::parse("US-CA").unwrap())];
        let europe = Place { continent: Some(Continent::Europe), ..Place::UNKNOWN };
        assert_eq!(judged(&[gdpr], Place::of(country("DE"))), Ok(Some(gdpr)));
        assert_eq!(judged(&[gdpr], Place::of(country("US"))), Ok(None));
        assert_eq!(judged(&[gdpr], Place::UNKNOWN), Err(UnknownPlace));
        assert_eq!(judged(&[gdpr], europe), Err(UnknownPlace));
        // A client somewhere in the United States may be in California.
        assert_eq!(judged(&[california], Place::of(country("US"))), Err(UnknownPlace));
        assert_eq!(judged(&[california], Place::of(country("DE"))), Ok(None));
        assert_eq!(judged(&[california], europe), Ok(None));
        assert_eq!(judged(&[california, Area::World], Place::UNKNOWN), Err(UnknownPlace));
        assert_eq!(judged(&[Area::World], Place::UNKNOWN), Ok(Some(Area::World)));
    }
}
