//! The operator's mark on a region or a backend, as it holds now: until when streams may go on.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A mark, kept over generations: what is in flight under an older one hears of it too.
#[derive(Debug, Default)]
pub struct Mark {
    holds: watch::Sender<Option<Holds>>,
}

/// A mark that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Holds {
    began: Instant,
    grace: Duration,
}

impl Mark {
    /// Waits until its grace has ended. A mark that is taken back before ends nothing.
    pub async fn outlived(&self) {
        let mut changes = self.holds.subscribe();
        loop {
            let holds = *changes.borrow_and_update();
            // The sender is ours, so that a change is all that this can tell of.
            let changed = changes.changed();
            match holds {
                None => drop(changed.await),
                Some(Holds { began, grace }) => tokio::select! {
                    () = sleep_until(began + grace) => return,
                    _ = changed => {}
                },
            }
        }
    }

    /// Holds, with this grace and since so long ago, or no longer, as a generation that goes live now says. A mark that
    /// held already keeps its beginning.
    pub(crate) fn follow(&self, mark: Option<(Duration, Duration)>) {
        self.holds.send_if_modified(|holds| {
            let next = mark.map(|(grace, age)| {
                let now = Instant::now();
                let began = holds.map_or_else(|| now.checked_sub(age).unwrap_or(now), |holds| holds.began);
                Holds { began, grace }
            });
            let changed = *holds != next;
            *holds = next;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::task::JoinHandle;
    use tokio::time::{advance, sleep};

    /// A mark with so many seconds of grace that begins now.
    fn grace(seconds: u64) -> Option<(Duration, Duration)> {
        Some((Duration::from_secs(seconds), Duration::ZERO))
    }

    /// A stream that waits, as of now.
    async fn stream(mark: &Arc<Mark>) -> JoinHandle<()> {
        let mark = Arc::clone(mark);
        let stream = tokio::spawn(async move { mark.outlived().await });
        settle().await;
        stream
    }

    async fn settle() {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_outlives_the_grace_of_a_mark_and_no_mark_ends_nothing() {
        let mark = Arc::new(Mark::default());
        let stream = stream(&mark).await;
        sleep(Duration::from_secs(3600)).await;
        mark.follow(grace(300));
        advance(Duration::from_secs(299)).await;
        settle().await;
        assert!(!stream.is_finished());
        advance(Duration::from_secs(1)).await;
        stream.await.unwrap();
        // One that comes late to it does not begin the grace anew.
        tokio::time::timeout(Duration::from_secs(1), mark.outlived()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_that_is_taken_back_ends_nothing_and_a_new_one_begins_anew() {
        let mark = Arc::new(Mark::default());
        let stream = stream(&mark).await;
        mark.follow(grace(300));
        advance(Duration::from_secs(200)).await;
        mark.follow(None);
        advance(Duration::from_secs(200)).await;
        mark.follow(grace(300));
        settle().await;
        advance(Duration::from_secs(299)).await;
        settle().await;
        assert!(!stream.is_finished());
        advance(Duration::from_secs(2)).await;
        stream.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_grace_that_is_edited_counts_from_the_same_beginning() {
        let mark = Arc::new(Mark::default());
        mark.follow(grace(300));
        let stream = stream(&mark).await;
        advance(Duration::from_secs(100)).await;
        mark.follow(grace(60));
        stream.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_grace_that_began_in_another_process_goes_on() {
        let start = Instant::now();
        let mark = Mark::default();
        advance(Duration::from_secs(600)).await;
        mark.follow(Some((Duration::from_secs(300), Duration::from_secs(200))));
        mark.outlived().await;
        assert_eq!(start.elapsed().as_secs(), 700);
    }
}
