//! The whole file with every default filled in.

use crate::check::Checked;
use crate::shape::Shape;

/// Prints what `checked` says, every key with its value. The text loads to an equal generation.
#[must_use]
pub fn effective(checked: &Checked) -> String {
    // A value of plain mappings, lists and scalars always prints.
    serde_yaml::to_string(&checked.document.write()).unwrap_or_default()
}
