//! The wire between the two processes: messages with their length before them, and descriptors.

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recv, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What a process knows of ten thousand backends is some megabytes.
const LONGEST: u32 = 256 * 1024 * 1024;

/// One end of the wire.
#[derive(Debug)]
pub(super) struct Wire(UnixStream);

impl Wire {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Waits so long for the other side, each time.
    pub(super) fn limit(&self, patience: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))?;
        self.0.set_write_timeout(Some(patience))
    }

    pub(super) fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let length = u32::try_from(text.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("too much to hand over"))?;
        (&self.0).write_all(&length.to_be_bytes())?;
        (&self.0).write_all(&text)
    }

    /// The next message; `None` when the other side has ended.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let mut length = [0; 4];
        match (&self.0).read_exact(&mut length) {
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let length = u32::from_be_bytes(length);
        if length > LONGEST {
            return Err(io::Error::other("this is no message"));
        }
        let mut text = Vec::new();
        (&self.0).take(length.into()).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Waits until there is something to receive, or an end.
    pub(super) fn stirs(&self) {
        while let Err(Errno::AGAIN | Errno::INTR) = recv(&self.0, &mut [0], RecvFlags::PEEK) {}
    }

    /// Sends the descriptor, with one byte that carries it.
    pub(super) fn send_descriptor(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [descriptor];
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        match sendmsg(&self.0, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)? {
            1 => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    pub(super) fn receive_descriptor(&self) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptor = descriptors.next().and_then(|mut descriptors| descriptors.next());
        descriptor.ok_or_else(|| io::Error::other("a descriptor is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (Wire, Wire) {
        let (one, other) = UnixStream::pair().unwrap();
        (Wire::new(one), Wire::new(other))
    }

    #[test]
    fn messages_and_sockets_arrive_in_order_and_an_end_is_an_end() {
        let (old, new) = pair();
        let sockets = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        old.send(&addresses).unwrap();
        sockets.iter().for_each(|socket| old.send_descriptor(socket.as_fd()).unwrap());
        old.send(&"last").unwrap();
        drop((old, sockets));
        new.stirs();
        assert_eq!(new.receive().unwrap(), Some(addresses.clone()));
        for address in addresses {
            let socket = TcpListener::from(new.receive_descriptor().unwrap());
            let client = TcpStream::connect(address).unwrap();
            assert_eq!(socket.accept().unwrap().1, client.local_addr().unwrap());
        }
        assert_eq!(new.receive().unwrap(), Some("last".to_owned()));
        new.stirs();
        assert_eq!(new.receive::<String>().unwrap(), None);
    }

    #[test]
    fn what_is_no_message_or_brings_no_descriptor_is_told() {
        let (old, new) = pair();
        (&old.0).write_all(b"HTTP/1.1 200 OK").unwrap();
        assert!(new.receive::<String>().is_err());
        let (old, new) = pair();
        (&old.0).write_all(b"x").unwrap();
        assert!(new.receive_descriptor().is_err());
    }
}
