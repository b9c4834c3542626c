//! The way to a Unix socket.

use super::race::Winner;
use crate::io::Wire;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// How long to wait before a socket whose queue is full is asked again.
const QUEUE: Duration = Duration::from_millis(5);

/// Connects to the socket at `path`. A full queue is waited for, as the kernel does for TCP: here it answers at once.
pub(super) async fn connect(path: &Path) -> io::Result<Winner> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => {
                return Ok(Winner { wire: Wire::Unix(stream), address: None, took: start.elapsed() });
            }
            Err(full) if full.kind() == io::ErrorKind::WouldBlock => sleep(QUEUE).await,
            Err(cause) => return Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, SockAddr, Socket, Type};

    #[tokio::test]
    async fn a_full_queue_is_waited_for_and_a_missing_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        assert_eq!(connect(&path).await.err().map(|cause| cause.kind()), Some(io::ErrorKind::NotFound));
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let mut waiting = Vec::new();
        let full = loop {
            let mut next = Box::pin({
                let path = path.clone();
                async move { connect(&path).await }
            });
            match tokio::time::timeout(QUEUE * 4, &mut next).await {
                Ok(connected) => waiting.push(connected.unwrap()),
                Err(_elapsed) => break next,
            }
        };
        listener.accept().unwrap();
        assert!(full.await.is_ok());
        drop(listener);
        let refused = connect(&path).await.err().map(|cause| cause.kind());
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    }
}
