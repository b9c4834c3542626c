//! The pulse of the workers: whether each of them still comes round to what it is asked.

use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Asks all workers for a sign of life. A worker that is stuck in one task does not answer.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: watch::Sender<u64>,
    /// The last question that each worker has answered; none once it has ended as it should.
    answered: Mutex<Vec<Option<u64>>>,
    news: Notify,
}

impl Pulse {
    /// Asks all workers that have not ended in order; whether each of them answers in time.
    pub async fn beats(&self, within: Duration) -> bool {
        let mut question = 0;
        self.0.asked.send_modify(|asked| {
            *asked += 1;
            question = *asked;
        });
        let all = async {
            while self.0.answered().iter().flatten().any(|answer| *answer < question) {
                self.0.news.notified().await;
            }
        };
        timeout(within, all).await.is_ok()
    }

    /// One more worker, which has to answer from now on.
    pub(super) fn join(&self) -> Heart {
        let mut answered = self.0.answered();
        answered.push(Some(*self.0.asked.borrow()));
        Heart { of: Arc::clone(&self.0), place: answered.len() - 1 }
    }
}

impl Shared {
    fn answered(&self) -> MutexGuard<'_, Vec<Option<u64>>> {
        self.answered.lock()
    }
}

/// What answers for one worker. When it is dropped the worker counts as stuck: only [`Heart::rest`] ends it.
#[derive(Debug)]
pub(super) struct Heart {
    of: Arc<Shared>,
    place: usize,
}

impl Heart {
    /// Answers until it is cancelled.
    pub(super) async fn beat(&self) {
        let mut asked = self.of.asked.subscribe();
        // What was asked between the worker's joining and this line waits for an answer too.
        asked.mark_changed();
        // The sender lives as long as `self`.
        while asked.changed().await.is_ok() {
            let question = *asked.borrow_and_update();
            self.put(Some(question));
        }
    }

    /// The worker has ended as it should.
    pub(super) fn rest(&self) {
        self.put(None);
    }

    fn put(&self, answer: Option<u64>) {
        if let Some(place) = self.of.answered().get_mut(self.place) {
            *place = answer;
        }
        self.of.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_silent_worker_is_enough_and_one_that_has_ended_in_order_is_none() {
        let pulse = Pulse::default();
        let (one, other) = (Arc::new(pulse.join()), pulse.join());
        let beating = Arc::clone(&one);
        let task = tokio::spawn(async move { beating.beat().await });
        assert!(!pulse.beats(SOON).await, "one of them does not answer");
        other.rest();
        assert!(pulse.beats(SOON).await);
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert!(!pulse.beats(SOON).await, "it died");
        one.rest();
        assert!(pulse.beats(SOON).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_begins_to_listen_late_answers_what_was_asked_before() {
        let pulse = Pulse::default();
        let (heart, asker) = (pulse.join(), pulse.clone());
        let asked = tokio::spawn(async move { asker.beats(SOON).await });
        tokio::task::yield_now().await;
        let beating = tokio::spawn(async move { heart.beat().await });
        assert!(asked.await.unwrap());
        beating.abort();
    }
}
