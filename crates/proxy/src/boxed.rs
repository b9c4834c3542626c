//! Futures in boxes: an exchange stands in several, none of which is larger than what an allocator is quick with (1 KiB).

use std::pin::Pin;

/// The future that is made, in a box: it is written there and nowhere else before, as a large one that goes by the stack is
/// copied.
pub(crate) fn boxed<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}
