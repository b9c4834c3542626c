//! The clients that a route's rules can tell apart.

use nearside_core::generation::Cidr;
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
                classes.extend(self.possible(generation, route));
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

    /// The classes of homes that it may have for all that is known, as far as those do not let that pass.
    fn possible(&self, generation: &Generation, route: &Route) -> Vec<ClassId> {
        let Residency::Chosen { by_home, .. } = &route.residency else { return Vec::new() };
        let in_map = route.home.iter().flat_map(|home| home.map.iter().map(|(value, _)| value));
        let mut values = in_map.chain(by_home.iter().map(|(value, _)| value));
        if values.any(|value| Some(value) == self.home.as_ref()) {
            return Vec::new();
        }
        let classes = by_home.iter().map(|(_, class)| *class);
        classes.filter(|class| !allows_unknown(generation, *class)).collect()
    }

    /// Whether it is refused whatever is well, for want of a known place or home.
    pub(crate) fn is_refused(&self, generation: &Generation, route: &Route) -> bool {
        let homeless = route.home.as_ref().is_some_and(|home| {
            home.refuse_unknown && self.home.as_ref().is_none_or(|value| home.region(value).is_none())
        });
        homeless || self.is_nowhere(generation, route)
    }

    fn is_nowhere(&self, generation: &Generation, route: &Route) -> bool {
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
                let by_place = strict && matches!(self.named(&rules), Named::Unknown);
                by_place || !self.possible(generation, route).is_empty()
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
    let (mut places, mut addresses) = (vec![Place::UNKNOWN], vec![somewhere]);
    places.extend(Country::all().map(Place::of));
    places.extend(Continent::ALL.map(|it| Place { continent: Some(it), ..Place::UNKNOWN }));
    let lawful = match &route.residency {
        Residency::Chosen { by_area, .. } => by_area.iter().map(|(area, _)| *area).collect(),
        Residency::None | Residency::Always(_) => Vec::new(),
    };
    for area in lawful.into_iter().chain(route.geo.iter().map(|(area, _)| *area)) {
        match area {
            // Every set of networks that some address is in is that of one which begins a network, or follows its last.
            Area::Subnet(network) => {
                addresses.extend([Some(network.address), after(network)].iter().flatten())
            }
            Area::State(state) => {
                let other = ["XX", "XY"].iter().filter_map(|local| Subdivision::new(state.country(), local));
                places.extend(other.chain([state]).map(Place::in_state));
            }
            Area::Country(_) | Area::Group(_) | Area::Continent(_) | Area::World => {}
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let from = |place: Place| addresses.iter().map(move |address| (place, *address));
    alike(places.into_iter().flat_map(from), route)
}

/// The address that follows the last one of `network`.
fn after(network: Cidr) -> Option<IpAddr> {
    let host = |length: u8| u32::from(length.saturating_sub(network.prefix));
    match network.address {
        IpAddr::V4(first) => {
            let next = 1_u32.checked_shl(host(32)).and_then(|size| first.to_bits().checked_add(size));
            next.map(|bits| IpAddr::V4(bits.into()))
        }
        IpAddr::V6(first) => {
            let next = 1_u128.checked_shl(host(128)).and_then(|size| first.to_bits().checked_add(size));
            next.map(|bits| IpAddr::V6(bits.into()))
        }
    }
}

/// Leaves one of those that all rules treat alike, and gives it each home.
fn alike(kinds: impl Iterator<Item = (Place, IpAddr)>, route: &Route) -> Vec<Client> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_core::PoolId;
    use nearside_core::host::Pattern;
    use nearside_core::place::ByArea;

    fn route(networks: &[(&str, u8)]) -> Route {
        let network = |(address, prefix): &(&str, u8)| {
            (Area::Subnet(Cidr { address: address.parse().unwrap(), prefix: *prefix }), ClassId::new(0))
        };
        let by_area = ByArea::new(networks.iter().map(network).collect());
        let residency = Residency::Chosen { by_area, by_home: Box::default() };
        Route { residency, ..Route::new("r", Pattern::Any, PoolId::new(0)) }
    }

    #[test]
    fn a_network_within_another_does_not_hide_it() {
        let route = route(&[("10.0.0.0", 8), ("10.0.0.0", 16), ("10.255.0.0", 16), ("255.0.0.0", 8)]);
        let clients = clients(&route);
        let seen = |first: u8, second: &[u8]| {
            clients.iter().any(|client| match client.address.ip() {
                IpAddr::V4(v4) => v4.octets()[0] == first && !second.contains(&v4.octets()[1]),
                IpAddr::V6(_) => false,
            })
        };
        assert!(seen(10, &[0, 255]), "what is in the wide network alone: {clients:?}");
        assert!(seen(255, &[]) && seen(11, &[]), "the last network, and what is in none: {clients:?}");
    }

    #[test]
    fn many_networks_are_as_many_kinds() {
        let names: Vec<String> = (0..64).map(|number| format!("10.{number}.0.0")).collect();
        let networks: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 16)).collect();
        // One of each network and one outside; of a known place or not; with no home or with one that nobody knows.
        assert_eq!(clients(&route(&networks)).len(), 65 * 2 * 2);
    }
}
