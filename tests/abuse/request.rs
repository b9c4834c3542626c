//! What clients send over HTTP/1.

mod line;
