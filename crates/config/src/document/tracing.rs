//! Tracing: where spans go, and of which requests.

use crate::document::pool::System;
use crate::scalar::address::Collector;
use crate::scalar::quantity::{Percent, Time};
use crate::scalar::{Int, Says};
use crate::shape::{WordOr, document};
use nearside_core::generation::Cidr;
use std::path::PathBuf;

document! {
    entry
    /// Tracing: spans of requests, sent by OTLP over HTTP to a collector.
    Tracing {
        /// Where the collector takes traces; without a path it is `/v1/traces`.
        endpoint: Collector,
        /// The share of the traces begun here that is sent. Errors, refusals, failovers and repeats always are.
        sample: Percent<10_000> = Percent(100),
        /// The peers whose word on whether a trace is sampled counts; what others say of it is as good as nothing said.
        trusted: Vec<Cidr> = Vec::new(),
        /// What the service is called there.
        service: Says = Says("nearside".into()),
        /// A file of header fields that the collector asks for, `name: value`, one a line; read anew for each batch.
        headers_file: Option<PathBuf> = None,
        /// The authorities that sign the collector: the machine's, or a PEM file.
        ca: WordOr<System, PathBuf> = WordOr::word(),
        /// How long the collector may take to answer.
        timeout: Time = Time::secs(10),
        /// Requests whose spans wait to be sent at most; what is more is dropped and counted.
        queue: Int<1, 1_000_000> = Int(4096),
    }
}
