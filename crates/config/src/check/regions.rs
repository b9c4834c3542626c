//! What the parts of a place ask of each other.

use super::Found;
use crate::document::Document;
use crate::node::quoted;
use crate::report::Finding;
use crate::rule;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let regions = &document.regions.0;
    if regions.len() > 256 {
        let message = format!("{} regions; at most 256 are possible", regions.len());
        found.at("regions".to_owned(), Finding::new(rule::TOO_MANY, message));
    }
    for (name, region) in regions {
        if region.place.is_some() && region.cloud.is_some() {
            let finding = Finding::new(rule::CLOUD, "the region has a place and a cloud's region");
            found.at(format!("regions.{}.cloud", name.0), finding.hint("leave one of them out"));
        }
        let Some(place) = &region.place else { continue };
        let path = format!("regions.{}.place", name.0);
        if place.lat.is_some() != place.lon.is_some() {
            let missing = if place.lat.is_some() { "lon" } else { "lat" };
            let finding = Finding::new(rule::POSITION, format!("\"{missing}\" is missing"));
            found.at(
                path.clone(),
                finding.hint("a position has both; leave both out for the country's middle"),
            );
        }
        if let Some(state) = &place.state
            && state.country() != place.country
        {
            let message = format!("the state {} is not in {}", quoted(&state.to_string()), place.country);
            found.at(format!("{path}.state"), Finding::new(rule::STATE, message));
        }
    }
}
