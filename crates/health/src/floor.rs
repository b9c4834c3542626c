//! The floor under ejection: what of a tier must stay.

use nearside_core::policy::Share;

/// What an ejection asks of the backend's tier. Backends that are drained or have no weight do not count:
/// nothing may be sent there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tier {
    /// Backends of the tier.
    pub len: usize,
    /// Those ejected now.
    pub ejected: usize,
    /// Those usable now, the one in question not counted.
    pub usable_besides: usize,
    /// Whether a later tier has a usable backend.
    pub later_usable: bool,
}

impl Tier {
    /// Whether one more may be ejected: at most `max_ejected` of the tier and never its last usable one. Where
    /// a later tier is usable, a tier that answers nothing but errors is left whole.
    #[must_use]
    pub fn may_lose_one(&self, max_ejected: Share) -> bool {
        let most = max_ejected.of(u64::try_from(self.len).unwrap_or(u64::MAX));
        let room = u64::try_from(self.ejected).is_ok_and(|ejected| ejected < most);
        self.later_usable || (room && self.usable_besides > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(len: usize, ejected: usize, usable_besides: usize, later_usable: bool) -> bool {
        let half = Share::from_points(5000);
        Tier { len, ejected, usable_besides, later_usable }.may_lose_one(half)
    }

    #[test]
    fn at_most_half_of_a_tier_goes() {
        assert!(check(2, 0, 1, false));
        assert!(check(4, 1, 2, false));
        assert!(!check(4, 2, 1, false));
        assert!(!check(3, 1, 1, false));
    }

    #[test]
    fn the_last_usable_one_stays() {
        assert!(!check(1, 0, 0, false));
        assert!(!check(4, 0, 0, false));
    }

    #[test]
    fn a_usable_later_tier_lifts_the_floor() {
        assert!(check(1, 0, 0, true));
        assert!(check(4, 3, 0, true));
    }
}
