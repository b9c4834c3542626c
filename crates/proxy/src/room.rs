//! Room for connections to backends: clients alone never take a process's last descriptors, and connections that nobody
//! has asked for yet never take most of them.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// The most that is kept back.
const MOST: RawFd = 4_096;

/// Tells whether descriptors are short by the number of a new one: the system gives the lowest that is free, so all
/// below it are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    ceiling: RawFd,
    middle: RawFd,
}

impl Room {
    /// By this process's limit, of which a quarter is kept back. Where the system does not tell there is no ceiling.
    pub(crate) fn of_this_process() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let Some(limit) = limit(&limits) else { return Self { ceiling: RawFd::MAX, middle: RawFd::MAX } };
        Self { ceiling: limit - (limit / 4).min(MOST), middle: limit / 2 }
    }

    /// Whether this connection's descriptor is of those that are kept back.
    pub(crate) fn is_reached_by(self, connection: &impl AsRawFd) -> bool {
        connection.as_raw_fd() >= self.ceiling
    }

    /// No room for anything.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { ceiling: 0, middle: 0 }
    }

    /// Whether half of all descriptors are taken, as this connection's tells.
    pub(crate) fn is_halved_by(self, connection: &impl AsRawFd) -> bool {
        connection.as_raw_fd() >= self.middle
    }

    /// Whether the next descriptor would be; found out with one for the same as `any`.
    pub(crate) fn is_full(self, any: &impl AsFd) -> bool {
        any.as_fd().try_clone_to_owned().map_or(true, |next| self.is_reached_by(&next))
    }
}

/// The limit in force in a text like `/proc/self/limits`; `None` where it is unlimited or untold.
fn limit(text: &str) -> Option<RawFd> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units
Max processes             95432                95432                processes
Max open files            1024                 524288               files
";

    #[test]
    fn half_of_them_are_taken_when_a_number_says_so() {
        let any = fs::File::open("/").unwrap();
        assert!(Room::none().is_halved_by(&any));
        assert!(!Room { ceiling: 0, middle: any.as_raw_fd() + 1 }.is_halved_by(&any));
    }

    #[test]
    fn the_limit_in_force_is_the_soft_one() {
        assert_eq!(limit(LIMITS), Some(1024));
        assert_eq!(limit(&LIMITS.replace("1024", "unlimited")), None);
        assert_eq!(limit(""), None);
    }

    #[test]
    fn it_is_full_when_the_next_number_is_kept_back() {
        let any = fs::File::open("/").unwrap();
        let next = any.try_clone().unwrap().as_raw_fd();
        assert!(Room::none().is_full(&any));
        // Other tests open files meanwhile, so the number may have moved on by some.
        assert!(!Room { ceiling: next + 10_000, middle: 0 }.is_full(&any));
    }
}
