//! Which methods a route serves.

/// A set of request methods.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Methods {
    /// Every method but TRACE and CONNECT, which are refused before.
    #[default]
    Any,
    /// These, in upper case; GET brings HEAD with it (RFC 9110, 9.3.2).
    Only(Box<[Box<str>]>),
}

impl Methods {
    /// Whether the set holds `method`.
    #[must_use]
    pub fn hold(&self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => {
                list.iter().any(|one| &**one == method || (method == "HEAD" && &**one == "GET"))
            }
        }
    }

    /// The methods by name; none for any.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        match self {
            Self::Any => &[],
            Self::Only(list) => list,
        }
    }
}
