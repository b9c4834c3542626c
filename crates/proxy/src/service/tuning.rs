//! How the kernel sends to clients.

use crate::congestion;
use crate::io::Io;
use socket2::SockRef;
use std::io;
use std::net::TcpListener;

/// How much of a connection that many streams share may wait in the kernel to leave for the first time. A gigabit a second
/// takes a millisecond for it, in which a worker brings more; and what another stream has to say waits behind no more.
pub(super) const UNSENT: u32 = 128 * 1024;

/// Tunes listening sockets, from which each of their connections has it, as far as the kernel lets us.
pub(super) fn tune(sockets: &[TcpListener]) {
    if let Some(cause) = sockets.iter().filter_map(|socket| tune_one(&socket.into()).err()).next_back() {
        let cause = &cause as &dyn std::error::Error;
        tracing::info!(
            error = cause,
            "cannot choose bbr towards clients: the system's congestion control stays"
        );
    }
}

fn tune_one(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    congestion::choose(socket)
}

/// Tunes a connection that streams share. One answer at a time need not keep its own bytes back, and fills the line with
/// fewer calls if it does not.
pub(super) fn share(io: &Io) {
    // Without it streams wait longer for each other.
    drop(io.socket().set_tcp_notsent_lowat(UNSENT));
}
