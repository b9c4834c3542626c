//! One deadline that moves often and costs little: the timer is armed only when the deadline comes nearer than
//! it, and looks again when it fires early.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A deadline of a connection or a try.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    armed: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Moves the deadline to `after` from now; `None` takes it away.
    pub fn set(&mut self, after: Option<Duration>) {
        self.at = after.map(|after| Instant::now() + after);
    }

    /// Moves the deadline to a moment.
    pub fn set_at(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Ready once the deadline has passed. To be asked before every wait, or nobody is woken.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.armed.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_on_fires_late_and_one_that_came_nearer_fires_early() {
        let start = Instant::now();
        let mut deadline = Deadline::default();
        deadline.set(Some(Duration::from_secs(1)));
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await);
        deadline.set(Some(Duration::from_secs(5)));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
        deadline.set(Some(Duration::from_secs(60)));
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_pending())).await);
        deadline.set(Some(Duration::from_secs(1)));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 6);
    }
}
