//! The sockets that clients connect to, bound before anything is served.

use nearside_core::generation::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub cause: io::Error,
}

impl BindError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let port = self.address.port();
        match self.cause.kind() {
            io::ErrorKind::AddrInUse => {
                Some(format!("another process listens there; `ss -ltnp 'sport = :{port}'` names it"))
            }
            io::ErrorKind::PermissionDenied => Some(format!(
                "port {port} needs a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, \
                 `setcap cap_net_bind_service=+ep` on the program, or a port above 1023"
            )),
            io::ErrorKind::AddrNotAvailable => {
                Some(format!("no interface of this machine has the address {}", self.address.ip()))
            }
            io::ErrorKind::Unsupported => Some("this machine has no IPv6; bind 0.0.0.0 instead".to_owned()),
            _ if self.cause.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                Some("this machine has no IPv6; bind 0.0.0.0 instead".to_owned())
            }
            _ => None,
        }
    }
}

/// One socket per listener, in their order.
///
/// # Errors
/// The first address that cannot be listened on; nothing is left bound then.
pub fn bind_all(listeners: &[Listener]) -> Result<Vec<TcpListener>, BindError> {
    listeners.iter().map(|listener| bind(listener.bind)).collect()
}

/// Listens on `address`; `[::]` takes IPv4 too.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|cause| BindError { address, cause })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart binds although connections of the predecessor still linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn the_unspecified_ipv6_address_takes_ipv4_too() {
        let listener = bind("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        assert!(TcpStream::connect(("::1", port)).is_ok());
    }

    #[test]
    fn an_address_in_use_is_named_with_what_to_do() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address}"));
        assert!(error.remedy().unwrap().contains(&format!("'sport = :{}'", address.port())));
    }

    #[test]
    fn a_foreign_address_and_a_privileged_port_have_their_remedies() {
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(error.remedy().unwrap().contains("192.0.2.1"));
        let address = "0.0.0.0:443".parse().unwrap();
        let denied = BindError { address, cause: io::ErrorKind::PermissionDenied.into() };
        assert!(denied.remedy().unwrap().contains("CAP_NET_BIND_SERVICE"));
    }
}
