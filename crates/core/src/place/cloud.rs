//! Regions of the large clouds.

use super::clouds::CLOUDS;
use super::country::Country;
use super::{Place, Position};

/// The place of a cloud's region, such as `azure/germanywestcentral`, `aws/eu-west-1` or `gcp/europe-west3`.
#[must_use]
pub fn cloud(name: &str) -> Option<Place> {
    let found = CLOUDS.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    let (_, _, country, lat, lon) = CLOUDS.get(found)?;
    let country = Country::parse(country)?;
    Some(Place { position: Position::new(*lat, *lon), ..Place::of(country) })
}

/// The names of all regions that [`cloud`] knows, sorted.
pub fn clouds() -> impl Iterator<Item = &'static str> {
    CLOUDS.iter().map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_country_and_a_position() {
        assert_eq!(clouds().count(), 142);
        for name in clouds() {
            let place = cloud(name).unwrap();
            assert!(place.country != Country::UNKNOWN && place.position.is_some(), "{name}");
        }
        let frankfurt = cloud("azure/germanywestcentral").unwrap();
        assert_eq!(frankfurt.country.as_str(), "DE");
        assert_eq!(cloud("azure/atlantis"), None);
    }
}
