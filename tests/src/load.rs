//! A steady load with an id on every request, so that backends' ledgers can be compared with what clients saw.

use crate::Edge;
use crate::client::Door;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How long a client waits for a whole answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Clients that keep their connections, half of them for each protocol.
const KEPT: u64 = 8;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its place in the load.
    pub number: u64,
    /// Its id, as it stands in the ledgers.
    pub id: String,
    /// Whether it was a POST.
    pub post: bool,
    /// When it was sent.
    pub began: Instant,
    /// When its answer was whole, or it had failed.
    pub ended: Instant,
    /// The status; `None` when no whole answer came.
    pub status: Option<u16>,
    /// Why no whole answer came.
    pub error: Option<String>,
    /// The generation that served it.
    pub generation: Option<u64>,
    /// The number of the configuration that served it, where that sets `x-config`.
    pub config: Option<u64>,
    /// The backend that answered.
    pub backend: Option<String>,
    /// Its region.
    pub region: Option<String>,
}

impl Outcome {
    /// Whether it got a whole answer of status 200.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.status == Some(200)
    }

    /// Whether it had been sent and not yet answered at some time in this span.
    #[must_use]
    pub fn was_under_way(&self, span: &Range<Instant>) -> bool {
        self.began <= span.end && self.ended >= span.start
    }

    /// How long the client waited.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Which connections a load uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connections {
    /// Those that it has.
    Kept,
    /// Those that it has, and a new one for every tenth request.
    KeptAndNew,
}

/// A load under way.
pub struct Load {
    shared: Arc<Shared>,
    driver: tokio::task::JoinHandle<Vec<Outcome>>,
}

/// What a load is told, and how far it is.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    stopped: AtomicBool,
    pause: AtomicBool,
    paused: AtomicBool,
    only_kept: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Load {
    /// Starts `per_second` requests a second, 12 % of them POSTs, half over HTTP/1.1 and half over HTTP/2.
    #[must_use]
    pub fn start(edge: &Edge, per_second: u64) -> Self {
        Self::at(&edge.door(), per_second, Connections::KeptAndNew)
    }

    /// The same at any door.
    #[must_use]
    pub fn at(door: &Door, per_second: u64, connections: Connections) -> Self {
        let client = |h2: bool| door.client(h2).timeout(PATIENCE);
        let kept: Vec<_> =
            (0..KEPT).map(|number| client(number % 2 == 1).build().expect("a client")).collect();
        let new = [false, true].map(|h2| client(h2).pool_max_idle_per_host(0).build().expect("a client"));
        let url = door.url("/digest");
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let driver = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / per_second));
            // Nobody waits for answers here, so a tick is late when this process had no processor. What it missed, sent
            // all at once, would be another load than the one that is steady.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut requests = JoinSet::new();
            while !told.stop.load(Ordering::Relaxed) {
                ticks.tick().await;
                if told.pause.load(Ordering::Relaxed) {
                    told.paused.store(true, Ordering::Relaxed);
                    continue;
                }
                let number = told.sent.fetch_add(1, Ordering::Relaxed);
                let only_kept = told.only_kept.load(Ordering::Relaxed);
                let is_new = connections == Connections::KeptAndNew && !only_kept && number % 10 >= 9;
                let (clients, turn) = match (is_new, only_kept) {
                    (true, _) => (&new[..], number / 10),
                    // Over HTTP/2 alone: a client of HTTP/1.1 whose connections are busy makes another.
                    (false, true) => (&kept[..], 2 * number + 1),
                    (false, false) => (&kept[..], number),
                };
                let client = &clients[usize::try_from(turn).expect("64 bits") % clients.len()];
                let (request, counter) = (one(client.clone(), url.clone(), number), Arc::clone(&told));
                requests.spawn(async move {
                    let outcome = request.await;
                    counter.answered.fetch_add(1, Ordering::Relaxed);
                    outcome
                });
            }
            told.stopped.store(true, Ordering::Relaxed);
            requests.join_all().await
        });
        Self { shared, driver }
    }

    /// Waits until `count` more requests were sent.
    pub async fn more(&self, count: u64) {
        let goal = self.shared.sent.load(Ordering::Relaxed) + count;
        while self.shared.sent.load(Ordering::Relaxed) < goal {
            assert!(!self.driver.is_finished(), "the load has ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends no more; what was sent may still be on its way when this returns.
    pub async fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while !self.shared.stopped.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Sends nothing until [`Load::resume`]; all that was sent is answered, or has failed, when this returns.
    pub async fn pause(&self) {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.shared.pause.store(true, Ordering::Relaxed);
        while !is(&self.shared.paused) || count(&self.shared.answered) < count(&self.shared.sent) {
            assert!(!self.driver.is_finished(), "the load has ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.shared.pause.store(false, Ordering::Relaxed);
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Whether new connections are left out for now.
    pub fn only_kept(&self, only: bool) {
        self.shared.only_kept.store(only, Ordering::Relaxed);
    }

    /// Ends the load; what became of every request, in the order in which they were sent.
    pub async fn end(self) -> Vec<Outcome> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut outcomes = self.driver.await.expect("the load ran");
        outcomes.sort_by_key(|outcome| outcome.number);
        outcomes
    }
}

async fn one(client: reqwest::Client, url: String, number: u64) -> Outcome {
    let post = matches!(number % 25, 0 | 9 | 17);
    let id = format!("load-{number}");
    let request = if post { client.post(url).body("some body") } else { client.get(url) };
    let began = Instant::now();
    let mut outcome = Outcome {
        number,
        id: id.clone(),
        post,
        began,
        ended: began,
        status: None,
        error: None,
        generation: None,
        config: None,
        backend: None,
        region: None,
    };
    let whole = async {
        let answer = request.header("x-ledger-id", id).send().await?;
        let text =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        outcome.generation = text("x-nearside-gen").and_then(|stamp| stamp.split('-').next()?.parse().ok());
        outcome.config = text("x-config").and_then(|number| number.parse().ok());
        outcome.backend = text("x-sample-name");
        outcome.region = text("x-sample-region");
        let status = answer.status().as_u16();
        answer.bytes().await.map(|_| status)
    };
    match whole.await {
        Ok(status) => outcome.status = Some(status),
        Err(error) => outcome.error = Some(format!("{error:?}")),
    }
    outcome.ended = Instant::now();
    outcome
}
