//! The client, and how long its requests take.

use crate::client::Door;
use std::time::{Duration, Instant};

/// No request of a lab takes this long.
const LIMIT: Duration = Duration::from_secs(180);

/// What one request took, from before its connection was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    /// Until the answer's head was there.
    first: Duration,
    /// Until its last byte was.
    last: Duration,
}

impl Took {
    pub(super) fn first_ms(&self) -> f64 {
        self.first.as_secs_f64() * 1000.0
    }

    pub(super) fn last_ms(&self) -> f64 {
        self.last.as_secs_f64() * 1000.0
    }
}

/// Somebody who asks for, or sends, so many bytes.
pub(super) struct Visitor {
    pub(super) door: Door,
    pub(super) prefix: &'static str,
    pub(super) up: bool,
}

impl Visitor {
    /// A client without a connection.
    pub(super) fn client(&self) -> reqwest::Client {
        self.door.client(false).timeout(LIMIT).build().expect("a client")
    }

    pub(super) async fn ask(&self, client: &reqwest::Client, size: u64) -> Took {
        let Self { door, prefix, up } = self;
        let request = if *up {
            let body = vec![7; usize::try_from(size).expect("megabytes")];
            client.post(door.url(&format!("{prefix}/digest"))).body(body)
        } else {
            client.get(door.url(&format!("{prefix}/bytes/{size}")))
        };
        let begin = Instant::now();
        let mut answer = request.send().await.expect("an answer");
        let first = begin.elapsed();
        assert_eq!(answer.status(), 200, "{answer:?}");
        let mut bytes = 0;
        while let Some(piece) = answer.chunk().await.expect("a whole answer") {
            bytes += piece.len() as u64;
        }
        let last = begin.elapsed();
        assert!(*up || bytes == size, "{bytes} of {size} bytes");
        Took { first, last }
    }

    /// The name of the backend that answers.
    pub(super) async fn who(&self, client: &reqwest::Client) -> String {
        let answer = client.get(self.door.url(&format!("{}/", self.prefix))).send().await.expect("an answer");
        crate::client::backend(&answer)
    }
}

/// Runs it on a runtime of this thread.
pub(super) fn alone<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(task)
}
