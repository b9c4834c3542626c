//! Residency: which regions may handle a request by law.

use crate::candidates::Set;
use crate::facts::Facts;
use crate::generation::Generation;
use crate::id::ClassId;
use crate::place::{ByArea, Country};
use crate::route::Route;
use std::sync::Arc;

/// A residency class: the jurisdictions that may handle a request, as the set of regions that have one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Its name.
    pub name: Arc<str>,
    /// The jurisdictions that it allows.
    pub allow: Box<[Arc<str>]>,
    /// The regions that have one of them, by [`RegionId`](crate::RegionId).
    pub regions: Set,
    /// It has to be served still after the loss of any so many regions.
    pub survive: u16,
    /// What a request gets of whose client too little is known: its place, or where the class is chosen by home its home.
    /// `None` is a refusal where the class is chosen.
    pub unknown: Option<Unknown>,
}

/// What a request gets of whose client too little is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// It is refused.
    Refuse,
    /// It is served: where the class is chosen, without it.
    Allow,
}

/// How a route chooses its residency class.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Residency {
    /// No law.
    #[default]
    None,
    /// This class, whoever asks.
    Always(ClassId),
    /// By the client's place, and by the home of the user besides: where both say something, both hold.
    Chosen {
        /// By place.
        by_area: ByArea<ClassId>,
        /// By the value that names the home.
        by_home: Box<[(Box<str>, ClassId)]>,
    },
}

/// What law says of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Law {
    /// Nothing.
    Silent,
    /// Only these regions may handle it.
    Only(Set),
    /// None may: too little is known of where the client is, or its home.
    Nowhere,
}

impl Law {
    /// What the residency of `route` says of a request with `facts`.
    #[must_use]
    pub fn of(route: &Route, generation: &Generation, facts: &Facts<'_>) -> Self {
        Self::by_place(route, generation, facts).and(Self::by_home(route, generation, facts))
    }

    /// What it says whatever the home is.
    #[must_use]
    pub fn by_place(route: &Route, generation: &Generation, facts: &Facts<'_>) -> Self {
        match &route.residency {
            Residency::None => Self::Silent,
            Residency::Always(class) => Self::always(*class, generation, facts),
            Residency::Chosen { by_area, .. } => Self::by_area(by_area, generation, facts),
        }
    }

    /// What it says of the home. A request whose home is not known may have any: to leave it out leads out of no class.
    fn by_home(route: &Route, generation: &Generation, facts: &Facts<'_>) -> Self {
        let Residency::Chosen { by_home, .. } = &route.residency else { return Self::Silent };
        let named = facts.home.and_then(|home| by_home.iter().find(|(value, _)| **value == *home));
        let known =
            || facts.home.zip(route.home.as_ref()).is_some_and(|(value, home)| home.region(value).is_some());
        match named {
            Some((_, class)) => Self::class(*class, generation),
            None if known() => Self::Silent,
            None => Self::unknown(by_home.iter().map(|(_, class)| *class), generation),
        }
    }

    /// What holds for a client of whom it is not known whether it is of one of `classes`.
    fn unknown(mut classes: impl Iterator<Item = ClassId>, generation: &Generation) -> Self {
        let allows = |id| generation.class(id).is_some_and(|class| class.unknown == Some(Unknown::Allow));
        if classes.all(allows) { Self::Silent } else { Self::Nowhere }
    }

    fn always(class: ClassId, generation: &Generation, facts: &Facts<'_>) -> Self {
        let refuses = generation.class(class).is_some_and(|class| class.unknown == Some(Unknown::Refuse));
        if refuses && facts.place.country == Country::UNKNOWN {
            return Self::Nowhere;
        }
        Self::class(class, generation)
    }

    fn by_area(by_area: &ByArea<ClassId>, generation: &Generation, facts: &Facts<'_>) -> Self {
        match by_area.judge(&facts.place, facts.client.ip().to_canonical()) {
            Ok(found) => found.map_or(Self::Silent, |class| Self::class(*class, generation)),
            Err(_) => Self::unknown(by_area.iter().map(|(_, class)| *class), generation),
        }
    }

    /// A class that does not exist allows nothing.
    fn class(class: ClassId, generation: &Generation) -> Self {
        Self::Only(generation.class(class).map_or_else(Set::default, |class| class.regions))
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nowhere, _) | (_, Self::Nowhere) => Self::Nowhere,
            (Self::Silent, law) | (law, Self::Silent) => law,
            (Self::Only(one), Self::Only(two)) => Self::Only(one.intersection(two)),
        }
    }
}
