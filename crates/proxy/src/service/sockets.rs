//! The listening sockets, kept at hand for a successor.

use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// The sockets of the listeners while the service accepts, each with the address that the file names.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<Vec<(SocketAddr, TcpListener)>>>);

impl Sockets {
    /// The same sockets once more: a successor accepts on them while this process still does.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn share(&self) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
        self.list().iter().map(|(address, socket)| Ok((*address, socket.try_clone()?))).collect()
    }

    pub(super) fn keep(&self, address: SocketAddr, socket: &TcpListener) -> io::Result<()> {
        let socket = socket.try_clone()?;
        self.list().push((address, socket));
        Ok(())
    }

    /// Lets go of them, so that nobody listens once the workers do not.
    pub(super) fn close(&self) {
        self.list().clear();
    }

    fn list(&self) -> MutexGuard<'_, Vec<(SocketAddr, TcpListener)>> {
        self.0.lock()
    }
}
