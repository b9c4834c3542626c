//! The clients that a route's rules can tell apart.

use nearside_core::place::{Area, Continent, Country, Subdivision};
use nearside_core::residency::{Residency, Unknown};
use nearside_core::route::Route;
use nearside_core::{ClassId, Generation, Place};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A client of a kind that rules may treat in its own way.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) place: Place,
    pub(crate) address: SocketAddr,
    pub(crate) home: Option<Box<str>>,
}

/// What law should say of a client's place.
enum Named {
    Class(ClassId),
    Nothing,
    /// It depends on what is not known.
    Unknown,
}

impl Client {
    /// The classes that its requests are of, read from the rules once more and in another way than `decide` does.
    pub(crate) fn classes(&self, generation: &Generation, route: &Route) -> Vec<ClassId> {
        match &route.residency {
            Residency::None => Vec::new(),
            Residency::Always(class) => vec![*class],
            Residency::Chosen { by_area, by_home } => {
                let homes = by_home.iter().filter(|(value, _)| Some(value) == self.home.as_ref());
                let mut classes: Vec<ClassId> = homes.map(|(_, class)| *class).collect();
                let rules: Vec<(Area, ClassId)> = by_area.iter().copied().collect();
                match self.named(&rules) {
                    Named::Class(class) => classes.push(class),
                    Named::Nothing => {}
                    Named::Unknown => {
                        let strict = |class: &ClassId| !allows_unknown(generation, *class);
                        classes.extend(rules.iter().map(|(_, class)| *class).find(strict));
                    }
                }
                classes
            }
        }
    }

    /// Whether it is refused for want of a known place.
    pub(crate) fn is_refused(&self, generation: &Generation, route: &Route) -> bool {
        match &route.residency {
            Residency::None => false,
            Residency::Always(class) => {
                let strict =
                    generation.class(*class).is_some_and(|class| class.unknown == Some(Unknown::Refuse));
                strict && self.place.country == Country::UNKNOWN
            }
            Residency::Chosen { by_area, .. } => {
                let rules: Vec<(Area, ClassId)> = by_area.iter().copied().collect();
                let strict = rules.iter().any(|(_, class)| !allows_unknown(generation, *class));
                strict && matches!(self.named(&rules), Named::Unknown)
            }
        }
    }

    /// The rule that holds: a more specific one first, and none when a more specific one might.
    fn named(&self, rules: &[(Area, ClassId)]) -> Named {
        for (area, class) in rules {
            if area.holds(&self.place, self.address.ip()) {
                return Named::Class(*class);
            }
            if self.might_be_in(area) {
                return Named::Unknown;
            }
        }
        Named::Nothing
    }

    /// Whether a client of which more were known, and of which all this is true, might be in `area`.
    fn might_be_in(&self, area: &Area) -> bool {
        let here = |country: Country| match (self.place.country, self.place.continent) {
            (Country::UNKNOWN, None) => true,
            (Country::UNKNOWN, continent) => country.continent() == continent,
            (known, _) => known == country,
        };
        match area {
            Area::Subnet(_) | Area::World => false,
            Area::State(state) => self.place.state.is_none() && here(state.country()),
            Area::Country(country) => self.place.country == Country::UNKNOWN && here(*country),
            Area::Group(_) => self.place.country == Country::UNKNOWN,
            Area::Continent(_) => self.place.continent.is_none(),
        }
    }
}

fn allows_unknown(generation: &Generation, class: ClassId) -> bool {
    generation.class(class).is_some_and(|class| class.unknown == Some(Unknown::Allow))
}

/// One client of each kind that `route` can tell apart, from each place and with each home.
pub(super) fn clients(route: &Route) -> Vec<Client> {
    let somewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let mut kinds: Vec<(Place, IpAddr)> = vec![(Place::UNKNOWN, somewhere)];
    kinds.extend(Country::all().map(|country| (Place::of(country), somewhere)));
    let continent = |continent| Place { continent: Some(continent), ..Place::UNKNOWN };
    kinds.extend(Continent::ALL.map(|it| (continent(it), somewhere)));
    let lawful = match &route.residency {
        Residency::Chosen { by_area, .. } => by_area.iter().map(|(area, _)| *area).collect(),
        Residency::None | Residency::Always(_) => Vec::new(),
    };
    for area in lawful.into_iter().chain(route.geo.iter().map(|(area, _)| *area)) {
        match area {
            Area::Subnet(network) => {
                let inside: Vec<(Place, IpAddr)> =
                    kinds.iter().map(|(place, _)| (*place, network.address)).collect();
                kinds.extend(inside);
            }
            Area::State(state) => {
                kinds.push((Place::in_state(state), somewhere));
                let other = ["XX", "XY"].iter().filter_map(|local| Subdivision::new(state.country(), local));
                kinds.extend(other.map(|other| (Place::in_state(other), somewhere)));
            }
            Area::Country(_) | Area::Group(_) | Area::Continent(_) | Area::World => {}
        }
    }
    alike(kinds, route)
}

/// Leaves one of those that all rules treat alike, and gives it each home.
fn alike(kinds: Vec<(Place, IpAddr)>, route: &Route) -> Vec<Client> {
    let mut seen = Vec::new();
    let mut clients = Vec::new();
    let values = route.home.iter().flat_map(|home| home.map.iter().map(|(value, _)| Some(value.clone())));
    let homes: Vec<Option<Box<str>>> = [None, Some("elsewhere".into())].into_iter().chain(values).collect();
    for (place, address) in kinds {
        let known = place.country != Country::UNKNOWN;
        let law = match &route.residency {
            Residency::Chosen { by_area, .. } => {
                let holds = by_area.iter().position(|(area, _)| area.holds(&place, address));
                Some((holds, by_area.judge(&place, address).is_err()))
            }
            Residency::None | Residency::Always(_) => None,
        };
        let geo = route.geo.iter().position(|(area, _)| area.holds(&place, address));
        let kind = (known, law, geo);
        if !seen.contains(&kind) {
            seen.push(kind);
            let address = SocketAddr::new(address, 0);
            clients.extend(homes.iter().map(|home| Client { place, address, home: home.clone() }));
        }
    }
    clients
}
