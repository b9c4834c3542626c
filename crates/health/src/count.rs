//! A count of what goes on at this moment, given back by what counts itself in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many of something there are now, over all workers.
#[derive(Debug, Default)]
pub struct Count(AtomicU32);

impl Count {
    /// The number now.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Counts one more, unless `limit` are counted already. Never above `limit`, whoever asks at the same time.
    #[must_use]
    pub fn try_enter(self: &Arc<Self>, limit: u32) -> Option<InFlight> {
        let below = |now: u32| (now < limit).then(|| now + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok()?;
        Some(InFlight(Arc::clone(self)))
    }
}

/// Holds one place in a [`Count`].
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct InFlight(Arc<Count>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_its_guard_goes() {
        let count = Arc::new(Count::default());
        let one = count.enter();
        assert!(count.try_enter(1).is_none());
        let two = count.try_enter(2);
        assert_eq!((two.is_some(), count.now()), (true, 2));
        drop((one, two));
        assert_eq!(count.now(), 0);
    }
}
