//! Both sides over real sockets, against the `h2` crate and against raw frames.

mod backends;
mod clients;
mod counted;
mod hostile;
mod kit;
mod site;
