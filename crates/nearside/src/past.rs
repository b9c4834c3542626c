//! The past: the evidence as it was written down from time to time, and the generation that it belongs to.

mod asked;
mod history;
mod kept;
mod snapshot;

pub(crate) use asked::Asked;
pub(crate) use history::{Flow, History, NOWHERE, STRETCH, Sample};
pub(crate) use kept::Kept;
pub(crate) use snapshot::{Line, Seen};
