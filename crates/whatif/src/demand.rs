//! The demand: from which places requests come, and how much of them from each.

use crate::kinds::Kinds;
use nearside_core::generation::Cidr;
use nearside_core::place::{Area, Continent, Country, Group, Place, Subdivision};
use nearside_core::residency::{Residency, Unknown};
use nearside_core::route::Route;
use nearside_core::{Generation, place};
use std::net::{IpAddr, Ipv4Addr};

/// Where requests come from.
#[derive(Clone, Debug)]
pub struct Demand(pub(crate) Vec<Part>);

/// A part of the demand.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Its part of all requests.
    pub(crate) share: f64,
    /// Clients that stand for it, each for as much.
    pub(crate) clients: Vec<Client>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Client {
    pub(crate) place: Place,
    pub(crate) address: IpAddr,
}

/// What a part of the demand may be named by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// An area.
    Area(Area),
    /// A place of which nothing is known.
    Unknown,
}

/// An address of which nobody knows anything.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

impl Origin {
    /// Reads `country:DE`, `state:US-CA`, `group:EU`, `continent:NA`, `subnet:10.0.0.0/8`, `world` or `unknown`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let area = match text.split_once(':') {
            Some(("country", value)) => Area::Country(Country::parse(value)?),
            Some(("state", value)) => Area::State(Subdivision::parse(value)?),
            Some(("group", value)) => Area::Group(Group::parse(value)?),
            Some(("continent", value)) => Area::Continent(Continent::parse(value)?),
            Some(("subnet", value)) => Area::Subnet(network(value)?),
            None if text == "world" => Area::World,
            None if text == "unknown" => return Some(Self::Unknown),
            Some(_) | None => return None,
        };
        Some(Self::Area(area))
    }

    fn name(self) -> String {
        match self {
            Self::Area(area) => area.to_string(),
            Self::Unknown => "an unknown place".to_owned(),
        }
    }

    /// Its clients: one from each of its countries, one of a state, of a network or of an unknown place.
    fn clients(self, generation: &Generation) -> Vec<Client> {
        let at = |place| Client { place, address: SOMEWHERE };
        match self {
            Self::Unknown => vec![at(Place::UNKNOWN)],
            Self::Area(Area::Subnet(network)) => vec![in_network(generation, network)],
            Self::Area(Area::State(state)) => vec![at(Place::in_state(state))],
            Self::Area(area) => {
                let countries = Country::all().map(|country| at(Place::of(country)));
                countries.filter(|client| area.holds(&client.place, client.address)).collect()
            }
        }
    }
}

fn network(text: &str) -> Option<Cidr> {
    let (address, prefix) = text.split_once('/')?;
    let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
    (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Cidr { address, prefix })
}

/// A client of `network`, in the place that the file itself says of it.
fn in_network(generation: &Generation, network: Cidr) -> Client {
    let holding = generation.geo.overrides.iter().filter(|(known, _)| known.holds(network.address));
    let place = holding.max_by_key(|(known, _)| known.prefix).map_or(Place::UNKNOWN, |(_, place)| *place);
    Client { place, address: network.address }
}

impl Demand {
    /// As much from each place that the rules of `generation` tell apart, and there from each country.
    #[must_use]
    pub fn even(generation: &Generation) -> Self {
        Self::between(generation, &Kinds::of(generation))
    }

    pub(crate) fn between(generation: &Generation, kinds: &Kinds) -> Self {
        let rules: Vec<&Route> = kinds.routes().filter(|route| route.asks_for_place()).collect();
        if rules.is_empty() {
            let clients = Origin::Area(Area::World).clients(generation);
            return Self(vec![Part { name: "everywhere".to_owned(), share: 1.0, clients }]);
        }
        let mut parts: Vec<(Vec<Treated>, Part)> = Vec::new();
        for client in candidates(generation, &rules) {
            let treated: Vec<Treated> =
                rules.iter().map(|route| Treated::of(generation, route, &client)).collect();
            match parts.iter_mut().find(|(known, _)| *known == treated) {
                Some((_, part)) => part.clients.push(client),
                None => {
                    let name = name(&rules, &treated, &client);
                    parts.push((treated, Part { name, share: 0.0, clients: vec![client] }));
                }
            }
        }
        if let [(_, part)] = &mut *parts {
            part.name = "everywhere".to_owned();
        }
        let share = 1.0 / count(parts.len());
        Self(parts.into_iter().map(|(_, part)| Part { share, ..part }).collect())
    }

    /// From these origins so much of the whole as their numbers say.
    #[must_use]
    pub fn of(generation: &Generation, origins: &[(Origin, f64)]) -> Self {
        let whole: f64 = origins.iter().map(|(_, number)| number).sum();
        let part = |(origin, number): &(Origin, f64)| Part {
            name: origin.name(),
            share: number / whole,
            clients: origin.clients(generation),
        };
        Self(origins.iter().map(part).filter(|part| !part.clients.is_empty()).collect())
    }
}

/// Exact for all that are counted here.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Clients of which no two rules could tell more.
fn candidates(generation: &Generation, rules: &[&Route]) -> Vec<Client> {
    let mut all = Origin::Area(Area::World).clients(generation);
    let mut areas: Vec<Area> = Vec::new();
    for area in rules.iter().flat_map(|route| areas_of(route)) {
        if !areas.contains(&area) {
            areas.push(area);
        }
    }
    for area in areas {
        match area {
            Area::State(state) => {
                // Of a state that no rule names.
                let other = Subdivision::new(state.country(), "XX");
                let states = [Some(state), other].into_iter().flatten();
                all.extend(states.map(|state| Client { place: Place::in_state(state), address: SOMEWHERE }));
            }
            Area::Subnet(network) => all.push(in_network(generation, network)),
            Area::Country(_) | Area::Group(_) | Area::Continent(_) | Area::World => {}
        }
    }
    all.extend(Origin::Unknown.clients(generation));
    let mut different: Vec<Client> = Vec::with_capacity(all.len());
    for client in all {
        if !different.contains(&client) {
            different.push(client);
        }
    }
    different
}

fn areas_of(route: &Route) -> Vec<Area> {
    let mut areas: Vec<Area> = route.geo.iter().map(|(area, _)| *area).collect();
    if let Residency::Chosen { by_area, .. } = &route.residency {
        areas.extend(by_area.iter().map(|(area, _)| *area));
    }
    areas
}

/// How a route treats a client.
#[derive(Debug, PartialEq)]
struct Treated {
    /// Whether it is refused for want of a known place.
    is_refused: bool,
    /// The area that law names it by; an error where too little is known.
    law: Result<Option<Area>, place::UnknownPlace>,
    geo: Option<Area>,
}

impl Treated {
    fn of(generation: &Generation, route: &Route, client: &Client) -> Self {
        let holds = |area: &Area| area.holds(&client.place, client.address);
        let law = match &route.residency {
            Residency::Chosen { by_area, .. } => by_area
                .judge(&client.place, client.address)
                .map(|found| found.and_then(|_| by_area.iter().map(|(area, _)| *area).find(holds))),
            Residency::None | Residency::Always(_) => Ok(None),
        };
        let geo = route.geo.iter().map(|(area, _)| *area).find(holds);
        let is_refused = match &route.residency {
            Residency::Always(class) => {
                let strict = generation.class(*class).is_some_and(|it| it.unknown == Some(Unknown::Refuse));
                strict && client.place.country == Country::UNKNOWN
            }
            Residency::None | Residency::Chosen { .. } => false,
        };
        Self { is_refused, law, geo }
    }
}

/// The areas that rules see a client in, or what they do not know of it.
fn name(rules: &[&Route], treated: &[Treated], client: &Client) -> String {
    let mut areas: Vec<Area> = Vec::new();
    for area in treated.iter().flat_map(|it| [it.law.ok().flatten(), it.geo]).flatten() {
        if !areas.contains(&area) {
            areas.push(area);
        }
    }
    let named = areas.iter().map(Area::to_string).collect::<Vec<_>>().join(", ");
    let country = client.place.country;
    let by_state = rules
        .iter()
        .flat_map(|route| areas_of(route))
        .any(|area| matches!(area, Area::State(state) if state.country() == country));
    match (country, client.place.state) {
        _ if areas.iter().any(|area| matches!(area, Area::Subnet(_) | Area::State(_))) => named,
        (Country::UNKNOWN, _) => "an unknown place".to_owned(),
        (country, None) if treated.iter().any(|it| it.law.is_err()) => format!("{country}, state unknown"),
        (country, Some(_)) if by_state && areas.is_empty() => format!("{country}, other states"),
        _ if areas.is_empty() => "elsewhere".to_owned(),
        _ => named,
    }
}
