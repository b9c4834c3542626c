//! What clients send over HTTP/1.

mod chunked;
mod fields;
mod framing;
mod hops;
mod host;
mod line;
mod order;
mod paths;
mod trailers;
mod trusted;
mod upgrades;

use crate::case::Case;
pub(crate) use order::CHECKS;

/// All tables of cases.
pub(crate) const TABLES: &[&[Case]] = &[
    chunked::CASES,
    fields::CASES,
    framing::CASES,
    hops::CASES,
    host::CASES,
    line::CASES,
    paths::CASES,
    trailers::CASES,
    trusted::CASES,
    upgrades::CASES,
];
