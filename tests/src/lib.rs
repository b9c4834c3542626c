//! The test kit: certificates, sample backends, an edge under test as a process of its own, clients, load.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says loudly when it is skipped"
)]

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

pub mod authority;
pub mod backend;
pub mod client;
pub mod duplex;
pub mod edge;
pub mod faults;
pub mod frames;
pub mod load;
pub mod mutant;
pub mod page;
pub mod raw;
pub mod signed;
pub mod split;
pub mod stage;
pub mod streams;
pub mod tool;
pub mod wan;
pub mod websocket;
pub mod wire;

pub use authority::Authority;
pub use backend::Process;
pub use edge::Edge;
pub use stage::Stage;

/// The folder of the programs that this workspace has built: tests run the very program that users run.
#[must_use]
pub fn program() -> std::path::PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let folder = own.parent().and_then(std::path::Path::parent).expect("tests stand in target/*/deps");
    let program = folder.join("nearside");
    assert!(
        program.exists(),
        "{} is missing: run `cargo xtask test`, or `cargo build -p nearside` first",
        program.display()
    );
    program
}

/// A port of 127.0.0.1 that is free, for a program that has to be told one. It lies below those that the system gives out
/// by itself, and no two calls of this process or of one beside it get the same.
#[must_use]
pub fn port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    // Each process has its own stretch of 64; neighbours by number are far from each other in time.
    let begin = std::process::id() % 300 * 64;
    loop {
        let next = begin + CALLS.fetch_add(1, Ordering::Relaxed) % 64;
        let port = u16::try_from(11_000 + next).expect("it lies below 30,200");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until `look` finds something; fails the test after 20 s, with what was waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("waited 20 s in vain for: {what}"))
}

/// The head of most files under test: probes that are quick, so that tests need not wait for them.
pub const QUICK: &str = "version: 1
fleet: { name: nearside-test }
regions: { frankfurt: {}, virginia: {} }
defaults:
  probe: { interval: 500ms, fast_interval: 200ms, timeout: 400ms, fall: 2, rise: 1, path: /healthz }
";
