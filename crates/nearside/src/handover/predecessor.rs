//! The predecessor, as the process that takes over from it sees it.

use super::wire::Wire;
use super::{Answer, Legacy, PROTOCOL, Rest, Serving};
use crate::admin::Listening;
use anyhow::{Context, bail, ensure};
use nearside_telemetry::field;
use parking_lot::{Mutex, MutexGuard};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::warn;

/// How long the predecessor may take to say something.
const PATIENCE: Duration = Duration::from_secs(10);

/// The process that this one takes over from.
#[derive(Debug)]
pub(crate) struct Predecessor {
    wire: Wire,
    rest: Mutex<Option<Rest>>,
}

/// What it leaves.
#[derive(Debug)]
pub(crate) struct Met {
    /// What it says.
    pub(crate) legacy: Legacy,
    /// The listeners' sockets, with the addresses that its file names.
    pub(crate) sockets: Vec<(SocketAddr, TcpListener)>,
    /// The admin interface's.
    pub(crate) admin: Listening,
}

impl Predecessor {
    /// Meets the process at the other end of standard input.
    ///
    /// # Errors
    /// Nobody is there, or it speaks of something else.
    pub(crate) fn meet() -> anyhow::Result<(Self, Met)> {
        let input = io::stdin();
        ensure!(!input.is_terminal(), "--take-over is nearside's own; call `nearside upgrade`");
        let stream = UnixStream::from(input.as_fd().try_clone_to_owned()?);
        let predecessor = Self { wire: Wire::new(stream), rest: Mutex::default() };
        match predecessor.receive() {
            Ok(met) => Ok((predecessor, met)),
            Err(error) => {
                predecessor.fail(&format!("{error:#}"));
                Err(error)
            }
        }
    }

    fn receive(&self) -> anyhow::Result<Met> {
        let unheard = "cannot hear the process that is to be taken over from";
        self.wire.limit(PATIENCE).context(unheard)?;
        let legacy: Legacy = self.wire.receive().context(unheard)?.context(unheard)?;
        if legacy.protocol != PROTOCOL {
            bail!(
                "the running nearside hands over in another way (protocol {}, this is {PROTOCOL}); restart it instead",
                legacy.protocol
            );
        }
        let receive = || self.wire.receive_descriptor().context("a socket did not arrive");
        rustix::stdio::dup2_stderr(receive()?)?;
        // The wire has its own descriptor now.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let unix = UnixListener::from(receive()?);
        let listener =
            |(address, descriptor): (SocketAddr, OwnedFd)| (address, TcpListener::from(descriptor));
        let tcp = legacy
            .admin
            .map(|address| Ok::<_, anyhow::Error>(listener((address, receive()?))))
            .transpose()?;
        let each = legacy.listeners.iter().map(|address| Ok(listener((*address, receive()?))));
        let sockets = each.collect::<anyhow::Result<_>>()?;
        Ok(Met { sockets, admin: Listening { unix, tcp }, legacy })
    }

    /// Tells it why this process ends: it goes on.
    pub(crate) fn fail(&self, message: &str) {
        if let Err(cause) = self.wire.send(&Answer::Failed(message.to_owned())) {
            warn!({ field::CAUSE } = %cause, "the predecessor does not listen");
        }
    }

    /// Waits until it has ended, or says something. Unasked it says nothing, until this process may begin.
    pub(crate) async fn stirs(self: Arc<Self>) {
        let (heard, hears) = oneshot::channel::<()>();
        // A thread of its own, which ends with the predecessor or with this process and holds nothing up.
        std::thread::spawn(move || {
            self.wire.stirs();
            drop(heard);
        });
        // Nothing is ever sent.
        drop(hears.await);
    }

    /// Tells it that this process could begin; whether it may.
    pub(crate) fn agrees(&self) -> bool {
        let told = self.wire.send(&Answer::Ready).and_then(|()| self.wire.receive::<Rest>());
        match told {
            Ok(Some(_)) => true,
            Ok(None) => {
                warn!("the predecessor has ended");
                false
            }
            Err(cause) => {
                warn!({ field::CAUSE } = %cause, "the predecessor has gone silent");
                false
            }
        }
    }

    /// Tells it that this process serves, and waits until it has stopped to accept.
    pub(crate) fn succeed(&self, generation: String, listeners: Vec<SocketAddr>) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let serving = Serving { pid: std::process::id(), version, generation, listeners };
        let told = self.wire.send(&Answer::Serving(serving));
        // A predecessor that has ended meanwhile accepts nothing either.
        match told.and_then(|()| self.wire.receive::<Rest>()) {
            Ok(rest) => *self.rest() = rest,
            Err(cause) => warn!({ field::CAUSE } = %cause, "the predecessor has gone silent"),
        }
    }

    /// Hears what it still has in flight, until it has ended.
    pub(crate) fn hear_out(&self) {
        while let Ok(Some(rest)) = self.wire.receive::<Rest>() {
            *self.rest() = Some(rest);
        }
        *self.rest() = None;
    }

    /// What it still has in flight; `None` once it has ended.
    pub(crate) fn left(&self) -> Option<Rest> {
        self.rest().clone()
    }

    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.rest.lock()
    }
}
