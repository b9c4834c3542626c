//! A refused head: no request came of it, and it is written down all the same.

use crate::connection::Connection;
use crate::headers::{self, Reference};
use crate::page::Page;
use crate::trace;
use crate::worker::Worker;
use nearside_core::Reason;
use nearside_telemetry::{Asked, Protocol, Record};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Writes down a request whose head was not taken, and had no answer where `status` is none; the page for it, and
/// its ref.
pub(crate) fn refuse(
    worker: &Worker,
    connection: &Connection,
    protocol: Protocol,
    status: Option<u16>,
    reason: Reason,
) -> (Page, Reference) {
    let live = worker.edge.live.load_full();
    let number = worker.edge.next();
    let reference = headers::reference(number);
    let page = Page::with_status(status.unwrap_or(400), reason, reference.as_str(), false);
    let record = Record {
        time: SystemTime::now(),
        asked: Asked::new(reference.as_str(), b"", b"", b""),
        words: None,
        client: connection.client.ip(),
        peer: connection.peer.ip(),
        protocol,
        tls: connection.tls,
        generation: Arc::clone(&live.generation),
        route: None,
        backend: None,
        reason: Some(reason),
        status,
        tries: 0,
        total: Duration::ZERO,
        connect: None,
        first_byte: None,
        bytes_in: 0,
        bytes_out: 0,
        trace: trace::begun(number, worker.edge.salt),
    };
    live.cells.record(&record);
    worker.edge.access.write(&record);
    (page, reference)
}
