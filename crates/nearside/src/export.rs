//! The export of spans: batches of them go to the collector by OTLP over HTTP, and no request waits for it.
//!
//! What the collector cannot take now is tried again for a while, after pauses that grow; meanwhile others wait, as
//! many as `observe.tracing.queue` allows, and what is more is dropped and counted.

mod collector;
mod headers;

use collector::{Line, Said};
pub(crate) use headers::read as read_headers;
use nearside_core::generation::Tracing;
use nearside_proxy::live::Edge;
use nearside_telemetry::field;
use nearside_telemetry::trace::{Batch, Fate, Sender, encode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// The pause before a batch is sent once more, which doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// How long a batch is tried at most.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the end of the process waits for the collector.
const LAST: Duration = Duration::from_secs(2);

/// Sends what is there and what comes, without end.
pub(crate) async fn run(edge: &Arc<Edge>) {
    let mut exporter = Exporter { edge, line: Line::default(), is_in_trouble: false };
    loop {
        edge.metrics.traces().gathered().await;
        exporter.deliver(edge.metrics.traces().take()).await;
    }
}

/// Sends what is left at the end of the process, as far as the collector takes it soon.
pub(crate) fn flush(edge: &Arc<Edge>) {
    let traces = edge.metrics.traces();
    let left = traces.take();
    if left.traces().is_empty() {
        return;
    }
    drop(left);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut exporter = Exporter { edge, line: Line::default(), is_in_trouble: false };
    let send_all = async {
        loop {
            let batch = traces.take();
            if batch.traces().is_empty() || !exporter.deliver_once(batch).await {
                return;
            }
        }
    };
    // What is not sent by then is counted below.
    drop(runtime.block_on(async { timeout(LAST, send_all).await }));
    // A name that is being looked up holds up nobody.
    runtime.shutdown_background();
    let mut lost = 0;
    loop {
        let batch = traces.take();
        if batch.traces().is_empty() {
            break;
        }
        lost += batch.spans();
        batch.end(Fate::Unsent);
    }
    if lost > 0 {
        warn!(spans = lost, "the collector has not taken the last spans");
    }
}

/// Who sends.
struct Exporter<'e> {
    edge: &'e Arc<Edge>,
    line: Line,
    /// Whether the last batch was not taken at once.
    is_in_trouble: bool,
}

/// What has come of sending a batch.
enum Came {
    /// The collector has answered.
    Said(Said),
    /// It has not.
    Nothing(anyhow::Error),
    /// Nobody is to be sent anything any more.
    Off,
}

impl Exporter<'_> {
    /// Sends a batch, again and again where that may help.
    async fn deliver(&mut self, batch: Batch<'_>) {
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            let came = self.send(&batch).await;
            let (wait, cause) = match came {
                Came::Said(Said::Later { status, after }) => (after, format!("status {status}")),
                Came::Nothing(cause) => (None, format!("{cause:#}")),
                Came::Said(Said::Taken(_) | Said::Refused(_)) | Came::Off => {
                    return self.conclude(batch, came);
                }
            };
            if !self.is_in_trouble {
                self.is_in_trouble = true;
                warn!({ field::CAUSE } = cause, "the collector takes no spans; they wait");
            }
            let wait = wait.unwrap_or_else(|| self.jittered(pause));
            if began.elapsed() + wait > PATIENCE {
                return batch.end(Fate::Unsent);
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Sends a batch; `false` where it was not taken, and waits again.
    async fn deliver_once(&mut self, batch: Batch<'_>) -> bool {
        match self.send(&batch).await {
            Came::Said(Said::Later { .. }) | Came::Nothing(_) => false,
            came @ (Came::Said(Said::Taken(_) | Said::Refused(_)) | Came::Off) => {
                self.conclude(batch, came);
                true
            }
        }
    }

    async fn send(&mut self, batch: &Batch<'_>) -> Came {
        let live = self.edge.live.load_full();
        let Some(tracing) = &live.generation.observe.tracing else { return Came::Off };
        let sender = Sender {
            service: &tracing.service,
            fleet: &live.generation.fleet.name,
            pop: &self.edge.pop.name,
            version: env!("CARGO_PKG_VERSION"),
        };
        let body = encode(&sender, batch.traces());
        match self.within(tracing, body).await {
            Ok(said) => Came::Said(said),
            Err(cause) => {
                self.line = Line::default();
                Came::Nothing(cause)
            }
        }
    }

    async fn within(&mut self, tracing: &Tracing, body: Vec<u8>) -> anyhow::Result<Said> {
        let sent = timeout(tracing.timeout, self.line.send(self.edge, tracing, body)).await;
        sent.unwrap_or_else(|_elapsed| Err(anyhow::anyhow!("no answer within {:?}", tracing.timeout)))
    }

    /// Counts a batch about which there is nothing more to be done.
    fn conclude(&mut self, batch: Batch<'_>, came: Came) {
        match came {
            Came::Said(Said::Taken(answer)) => {
                if std::mem::take(&mut self.is_in_trouble) {
                    info!("the collector takes spans again");
                }
                if answer.rejected > 0 || !answer.message.is_empty() {
                    warn!({ field::CAUSE } = answer.message, spans = answer.rejected, "spans were not taken");
                }
                batch.taken_but(answer.rejected);
            }
            Came::Said(Said::Refused(status)) => {
                warn!({ field::STATUS } = status, spans = batch.spans(), "the collector refuses spans");
                batch.end(Fate::Refused);
            }
            Came::Said(Said::Later { .. }) | Came::Nothing(_) | Came::Off => batch.end(Fate::Unsent),
        }
    }

    /// A pause that others, who began at the same time, do not make as well.
    fn jittered(&self, pause: Duration) -> Duration {
        let part = u32::try_from(self.edge.next() % 500).unwrap_or(0);
        pause * (750 + part) / 1000
    }
}
