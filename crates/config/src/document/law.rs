//! Geo and residency: what is known of places, what is preferred there, and what law says.

use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::scalar::quantity::Time;
use crate::scalar::{Int, Name, Says, words};
use crate::shape::{Form, Names, OneOrMore, Shape, Some1, document};
use nearside_core::generation::Cidr;
use nearside_core::place::{Area, Continent, Country, Group, Subdivision};
use nearside_core::residency::Unknown;
use std::net::IpAddr;
use std::path::PathBuf;

use super::region::Place;

document! {
    settings
    /// What is known of where addresses are.
    Geo {
        /// Tables in MaxMind's format, for instance country.mmdb; the first that knows an address says where it is. By default the table of countries that is built in.
        tables: Vec<PathBuf> = Vec::new(),
        /// Networks whose place is known better; the longest prefix wins, before all tables.
        overrides: Names<Cidr, Place> = Names::default(),
        /// What a new table has to say of these addresses, or it is refused.
        canaries: Names<IpAddr, Country> = Names::default(),
        /// An older table is a warning.
        max_age: Time = Time::secs(45 * 86_400),
    }
}

document! {
    entry
    /// A residency class: which jurisdictions may handle a request, before anything else is asked.
    Class {
        /// The jurisdictions that may; a region that has any of them is in.
        allow: Some1<Name>,
        /// How many regions may be lost, any of them, so that requests of this class are served still.
        survive: Int<0, 16> = Int(0),
        /// What a client of unknown place gets, or where a home decides one of unknown home. By default a refusal where the class is chosen by place or home.
        unknown: Option<Unknown> = None,
    }
}

words!(Unknown { "refuse" => Unknown::Refuse, "allow" => Unknown::Allow });

/// Defines an entry of a list for places: the kinds of place that it may name, and what else it says.
macro_rules! for_places {
    ($(#[doc = $about:literal])* $name:ident { $($rest:tt)* }) => {
        document! {
            entry
            $(#[doc = $about])*
            $name {
                /// Clients of these networks.
                subnet: Option<OneOrMore<Cidr>> = None,
                /// Clients in these states.
                state: Option<OneOrMore<Subdivision>> = None,
                /// Clients in these countries.
                country: Option<OneOrMore<Country>> = None,
                /// Clients in these groups of countries: `EU`, `EEA`, `GDPR` (the EEA and the parts of the EU with country codes of their own).
                group: Option<OneOrMore<Group>> = None,
                /// Clients on these continents.
                continent: Option<OneOrMore<Continent>> = None,
                /// Every client.
                world: bool = false,
                $($rest)*
            }
        }

        impl $name {
            /// The areas that it names.
            pub(crate) fn areas(&self) -> Vec<Area> {
                let subnets = each(&self.subnet, Area::Subnet);
                let states = each(&self.state, Area::State);
                let countries = each(&self.country, Area::Country);
                let groups = each(&self.group, Area::Group);
                let continents = each(&self.continent, Area::Continent);
                let world = self.world.then_some(Area::World);
                subnets.chain(states).chain(countries).chain(groups).chain(continents).chain(world).collect()
            }
        }
    };
}

for_places! {
    /// Where the requests of a place go first. Of several entries the most specific holds: subnet, then state, country, group, continent, world.
    GeoRule {
        /// The regions in order; the first that has a usable backend is used alone. A list within the list makes equals.
        to: Some1<OneOrMore<Name>>,
    }
}

for_places! {
    /// Who is of a residency class. Of several entries for places the most specific holds; one for a home holds besides.
    ResidencyRule {
        /// Users with this home, a value of the route's `home.map`, instead of a place.
        home: Option<Says> = None,
        /// Their class.
        class: Name,
    }
}

fn each<T: Copy>(named: &Option<OneOrMore<T>>, area: fn(T) -> Area) -> impl Iterator<Item = Area> {
    named.iter().flat_map(|list| &list.0).copied().map(area)
}

/// The class of every request of a route, or who is of which.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Residency {
    Class(Name),
    Chosen(Some1<ResidencyRule>),
}

impl Shape for Residency {
    fn form() -> Form {
        Form::Either(vec![Name::form(), Some1::<ResidencyRule>::form()])
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        match node.kind() {
            Kind::List => Some1::read(reader, node, None).map(Self::Chosen),
            _ => Name::read(reader, node, None).map(Self::Class),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::Class(name) => Shape::write(name),
            Self::Chosen(rules) => rules.write(),
        }
    }
}
