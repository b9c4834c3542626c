//! Residency: which regions may handle a request by law.

use crate::candidates::Set;
use crate::facts::Facts;
use crate::generation::Generation;
use crate::id::ClassId;
use crate::place::{ByArea, Country};
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
    /// What a client of unknown place gets; `None` is a refusal where the class is chosen by place.
    pub unknown: Option<Unknown>,
}

/// What a client of unknown place gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// It is refused.
    Refuse,
    /// It is served: where the class is chosen by place, without it.
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
    /// By the client's place, and by the home of the user besides: where both name a class, both hold.
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
    /// None may: too little is known of where the client is.
    Nowhere,
}

impl Law {
    /// What `residency` says of a request with `facts`.
    #[must_use]
    pub fn of(residency: &Residency, generation: &Generation, facts: &Facts<'_>) -> Self {
        match residency {
            Residency::None => Self::Silent,
            Residency::Always(class) => Self::always(*class, generation, facts),
            Residency::Chosen { by_area, by_home } => {
                let named = |(value, _): &&(Box<str>, ClassId)| Some(&**value) == facts.home;
                let home = by_home.iter().find(named).map(|(_, class)| *class);
                let law = Self::by_area(by_area, generation, facts);
                home.map_or(law, |class| law.and(Self::class(class, generation)))
            }
        }
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
            Err(_) => {
                let allows =
                    |id| generation.class(id).is_some_and(|class| class.unknown == Some(Unknown::Allow));
                if by_area.iter().all(|(_, class)| allows(*class)) { Self::Silent } else { Self::Nowhere }
            }
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
