//! Places, always with their kind: a country, a subdivision, a continent, a group, a position.

mod area;
mod cloud;
mod clouds;
mod continent;
mod countries;
mod country;
mod group;
mod position;
mod subdivision;

pub use area::{Area, ByArea, UnknownPlace};
pub use cloud::{cloud, clouds};
pub use continent::Continent;
pub use country::Country;
pub use group::Group;
pub use position::Position;
pub use subdivision::Subdivision;

/// Where a region, a PoP or a client stands, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its country, or [`Country::UNKNOWN`].
    pub country: Country,
    /// Its subdivision.
    pub state: Option<Subdivision>,
    /// Its continent: of the country, or what alone is known.
    pub continent: Option<Continent>,
    /// Its position; the middle of the country where nothing finer is known.
    pub position: Option<Position>,
}

impl Place {
    /// Nothing is known.
    pub const UNKNOWN: Self =
        Self { country: Country::UNKNOWN, state: None, continent: None, position: None };

    /// Somewhere in `country`.
    #[must_use]
    pub fn of(country: Country) -> Self {
        Self { country, state: None, continent: country.continent(), position: country.position() }
    }

    /// Somewhere in `state`.
    #[must_use]
    pub fn in_state(state: Subdivision) -> Self {
        Self { state: Some(state), ..Self::of(state.country()) }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::UNKNOWN
    }
}
