//! Writes down what happened: the access log, the metrics, the journal, the traces, the program's own events.
//!
//! A request leaves one [`Record`]: [`Cells::record`] counts it, [`AccessLog::write`] writes it. Both are called
//! once per request and neither waits, allocates or looks a name up.

mod access;
mod cells;
mod counts;
mod exposition;
pub mod family;
pub mod field;
pub mod journal;
mod lines;
mod logging;
mod metrics;
mod record;
pub mod trace;

pub use access::{AccessLog, Sink};
pub use cells::{Cells, ListenerCells, Open};
pub use logging::{Format, LoggingError, init_logging};
pub use metrics::{BackendSample, Disbelieved, Ended, Metrics, RegionSample, Reload, Samples};
pub use record::{Asked, Protocol, Record, TlsVersion, Word, Words};
