//! Low-water mark: of a body that comes fast, the kernel wakes its worker once much is there, not for every packet's worth.
//!
//! Each wake-up costs its worker a turn of the reactor, and each small piece that it sends on wakes the backend. What is less
//! than the mark waits for a moment at most, once: a body that does not come fast after all is read as it comes, and so is
//! one from farther away, which comes in bursts a round trip apart.

use crate::deadline::Deadline;
use crate::io::{Io, Wire};
use crate::round_trip;
use crate::socket;
use std::task::Context;
use std::time::Duration;

/// A body of which so many bytes were there at once comes fast.
const FAST: usize = 64 * 1024;

/// What is waited for, in bytes of the socket.
const MARK: usize = 128 * 1024;

/// Nothing is waited for unless so much is still to come: what TLS holds of it is not in the socket any more.
const REST: u64 = (MARK + FAST) as u64;

/// The longest round trip of a connection over which bodies come steadily.
const NEAR: Duration = Duration::from_millis(2);

/// How long less than the mark may lie unread.
const MOMENT: Duration = Duration::from_millis(4);

/// Whether a socket that brings a body waits for much of it.
#[derive(Debug, Default)]
pub(super) enum LowWater {
    /// It brings what there is.
    #[default]
    Unset,
    /// It waits.
    Set(Box<Wait>),
    /// It comes from far away, or has waited for more than came: it brings what there is for the rest of the body.
    Barred,
}

#[derive(Debug, Default)]
pub(super) struct Wait {
    deadline: Deadline,
    /// Whether nothing was read since the deadline was set.
    begun: bool,
}

impl LowWater {
    /// So many bytes of a body were read at once, so many are still to come.
    pub(super) fn read(&mut self, io: &Io, count: usize, left: u64) {
        match self {
            Self::Unset if count >= FAST && left >= REST => {
                let waits = is_near(io) && set(io, MARK);
                *self = if waits { Self::Set(Box::default()) } else { Self::Barred };
            }
            Self::Set(_) if left < REST => self.lift(io),
            Self::Set(wait) => wait.begun = false,
            Self::Unset | Self::Barred => {}
        }
    }

    /// Nothing is there to be read: after a moment what is less than the mark is, of which the kernel tells who waits.
    pub(super) fn wait(&mut self, io: &Io, cx: &mut Context<'_>) {
        let Self::Set(wait) = self else { return };
        if !wait.begun {
            wait.begun = true;
            wait.deadline.set(Some(MOMENT));
        }
        if wait.deadline.poll(cx).is_ready() {
            self.lift(io);
            *self = Self::Barred;
        }
    }

    /// The socket brings what there is, of whatever follows.
    pub(super) fn lift(&mut self, io: &Io) {
        if matches!(self, Self::Set(_)) {
            set(io, 1);
        }
        *self = Self::Unset;
    }
}

fn is_near(io: &Io) -> bool {
    round_trip::least(io.wire()).is_some_and(|trip| trip <= NEAR)
}

/// Whether the mark could be set; only TCP has one that a reactor goes by.
fn set(io: &Io, mark: usize) -> bool {
    match io.wire() {
        Wire::Tcp(stream) => socket::set_low_water(stream, mark).is_ok(),
        Wire::Far(_) | Wire::Unix(_) => false,
    }
}
