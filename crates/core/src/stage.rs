//! The stages of a decision: those that forbid, those that prefer, the one that chooses.

pub(crate) mod choose;
pub(crate) mod forbid;
pub(crate) mod prefer;
