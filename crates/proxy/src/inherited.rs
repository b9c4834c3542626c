//! The listening sockets that a predecessor hands over: the one place that is allowed to own a bare descriptor.
#![expect(unsafe_code, reason = "pingora passes listening sockets as bare descriptors")]

use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Owns the listening socket behind `fd`, which pingora received and listed.
///
/// # Errors
/// It is no open socket.
pub(crate) fn listener(fd: RawFd) -> io::Result<TcpListener> {
    // SAFETY: the predecessor's sockets arrive once, nothing else in this process closes them, and each is asked for
    // once: by the service, for its one listener of that address.
    let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(fd) });
    listener.local_addr()?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    #[test]
    fn a_socket_that_was_handed_over_still_accepts() {
        let original = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = original.local_addr().unwrap();
        let owned = listener(original.into_raw_fd()).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(owned.accept().unwrap().1, client.local_addr().unwrap());
    }
}
