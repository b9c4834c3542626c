//! How the kernel sends to clients: said once of a listening socket, from which each of its connections has it.

use crate::congestion;
use socket2::SockRef;
use std::io;
use std::net::TcpListener;

/// How much may wait in the kernel to leave for the first time. A gigabit a second takes a millisecond for it, in which a
/// worker brings more; and what another stream of the connection has to say waits behind no more than this.
const UNSENT: u32 = 128 * 1024;

/// Tunes the listening sockets, as far as the kernel lets us.
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
    socket.set_tcp_notsent_lowat(UNSENT)?;
    congestion::choose(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::chosen;
    use crate::service::bind::bind;
    use std::net::TcpStream;

    #[test]
    fn every_connection_has_what_was_said_of_the_socket_that_it_came_in_by() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        tune(std::slice::from_ref(&socket));
        let _client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(false).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().unwrap());
        assert_eq!(accepted.tcp_notsent_lowat().unwrap(), UNSENT);
        // Where the kernel has it, and lets us.
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let expected = congestion::choose(&(&own).into()).map(|()| "bbr".to_owned());
        assert_eq!(chosen(&accepted), expected.unwrap_or_else(|_| chosen(&(&own).into())));
    }
}
