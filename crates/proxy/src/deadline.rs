//! One deadline that moves often and costs little: the timer is armed only when the deadline comes nearer than
//! it, and looks again when it fires early; who waits for it already does not ask it again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A deadline of a connection or a try.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    armed: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes, since it was asked last.
    waits: Option<Waker>,
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
        } else if !sleep.is_elapsed() && self.waits.as_ref().is_some_and(|waits| waits.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        self.waits = None;
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        self.waits = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Polls the deadline, as one that is to be woken by `flag`.
    fn ask(deadline: &mut Deadline, flag: &Arc<Flag>) -> Poll<()> {
        deadline.poll(&mut Context::from_waker(&Waker::from(Arc::clone(flag))))
    }

    #[derive(Default)]
    struct Flag(AtomicUsize);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_last_is_woken_once_however_often_it_asked_and_the_deadline_moved() {
        let mut deadline = Deadline::default();
        let (first, last) = (Arc::<Flag>::default(), Arc::<Flag>::default());
        for (flag, second) in [(&first, 5), (&first, 7), (&last, 6), (&last, 3), (&last, 4), (&last, 4)] {
            deadline.set(Some(Duration::from_secs(second)));
            assert!(ask(&mut deadline, flag).is_pending());
        }
        // The timer stands at 3 seconds, as the nearest of them, and is armed anew when it is asked then.
        tokio::time::sleep(Duration::from_millis(3_100)).await;
        assert_eq!((first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed)), (0, 1));
        assert!(ask(&mut deadline, &last).is_pending());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(last.0.load(Ordering::Relaxed), 2);
        assert!(ask(&mut deadline, &last).is_ready() && ask(&mut deadline, &last).is_ready());
    }

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
