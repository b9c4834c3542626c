//! Identifiers: an id indexes one generation, a key outlives them all.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(u32);

        impl $name {
            /// The id of the entry at `index` of its list in the generation.
            #[must_use]
            pub fn new(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            /// The index into the generation's list.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A region of one generation.
    RegionId
);
id!(
    /// A pool of one generation.
    PoolId
);
id!(
    /// A backend of one generation.
    BackendId
);
id!(
    /// A residency class of one generation.
    ClassId
);
id!(
    /// A route of one generation.
    RouteId
);

/// The identity of a backend over generations: its pool and its id, or its pool and its url.
///
/// Evidence is kept under it, so an edit of priority or weight changes no verdict.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BackendKey(Arc<str>);

impl BackendKey {
    /// The key of the backend that `pool` knows as `name` (its id, or its url where it has none).
    #[must_use]
    pub fn new(pool: &str, name: &str) -> Self {
        Self(Arc::from(format!("{pool}/{name}")))
    }

    /// The key as `pool/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
