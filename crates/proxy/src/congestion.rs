//! Which congestion control sends over long or lossy paths.

use socket2::SockRef;
use std::io;

/// It goes by what arrives, where the usual ones halve with each packet that is lost and start anew after each pause.
const CONTROL: &[u8] = b"bbr";

/// Chooses it for a socket; for a listening one, for all connections that come in by it.
///
/// # Errors
/// The kernel does not have it, or does not let this process choose it.
pub(crate) fn choose(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_congestion(CONTROL)
}

/// What is chosen for a socket.
#[cfg(test)]
pub(crate) fn chosen(socket: &SockRef<'_>) -> String {
    let name = socket.tcp_congestion().unwrap();
    let name = name.split(|byte| *byte == 0).next().unwrap();
    String::from_utf8(name.to_vec()).unwrap()
}
