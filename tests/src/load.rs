//! A steady load with an id on every request, so that backends' ledgers can be compared with what clients saw.

use crate::Edge;
use crate::client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its place in the load.
    pub number: u64,
    /// Its id, as it stands in the ledgers.
    pub id: String,
    /// Whether it was a POST.
    pub post: bool,
    /// The status; `None` when no whole answer came.
    pub status: Option<u16>,
    /// The generation that served it.
    pub generation: Option<u64>,
    /// The region of the backend that answered.
    pub region: Option<String>,
}

impl Outcome {
    /// Whether it got a whole answer of status 200.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.status == Some(200)
    }
}

/// A load under way.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    driver: tokio::task::JoinHandle<Vec<Outcome>>,
}

impl Load {
    /// Starts `per_second` requests a second, every eighth a POST, half over HTTP/1.1 and half over HTTP/2.
    #[must_use]
    pub fn start(edge: &Edge, per_second: u64) -> Self {
        let clients = [client::reqwest(edge, false), client::reqwest(edge, true)];
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let url = client::url(edge, "/digest");
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let driver = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / per_second));
            let mut requests = JoinSet::new();
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let client = clients[usize::from(number.is_multiple_of(2))].clone();
                requests.spawn(one(client, url.clone(), number));
            }
            requests.join_all().await
        });
        Self { stop, sent, driver }
    }

    /// Waits until `count` more requests were sent.
    pub async fn more(&self, count: u64) {
        let goal = self.sent.load(Ordering::Relaxed) + count;
        crate::eventually("more requests", async || {
            (self.sent.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Ends the load; what became of every request, in the order in which they were sent.
    pub async fn end(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        let mut outcomes = self.driver.await.expect("the load ran");
        outcomes.sort_by_key(|outcome| outcome.number);
        outcomes
    }
}

async fn one(client: reqwest::Client, url: String, number: u64) -> Outcome {
    let post = number.is_multiple_of(8);
    let id = format!("load-{number}");
    let request = if post { client.post(url).body("some body") } else { client.get(url) };
    let mut outcome = Outcome { number, id: id.clone(), post, status: None, generation: None, region: None };
    let Ok(answer) = request.header("x-ledger-id", id).send().await else { return outcome };
    let text =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    outcome.generation = text("x-nearside-gen").and_then(|stamp| stamp.split('-').next()?.parse().ok());
    outcome.region = text("x-sample-region");
    let status = answer.status().as_u16();
    outcome.status = answer.bytes().await.is_ok().then_some(status);
    outcome
}
