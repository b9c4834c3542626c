//! The watch over files: tells that something may have changed, whichever way files are changed.
//!
//! Folders are watched, not files: an editor renames a new file over the old one, Kubernetes turns the link `..data`
//! around, and a watch on the file itself would stay with what is gone. Of each path the last part is watched, every
//! link on the way with what it leads to, and the folder itself, which may be replaced too.

mod spots;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use spots::Spots;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How long files have to rest before they are read while one of them may be half written ...
const REST: Duration = Duration::from_millis(50);
/// ... and once it was closed, or has come by a rename: an editor or a deployment goes on with its next one sooner.
const WHOLE_REST: Duration = Duration::from_millis(20);
/// How long restless files are waited for.
const LONGEST: Duration = Duration::from_millis(500);

/// Watches files.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    folders: HashSet<PathBuf>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    spots: Mutex<Spots>,
    /// Whether the file of the last event may be half written.
    half: AtomicBool,
    changed: Notify,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The system has no watches left.
    pub(crate) fn new() -> notify::Result<Self> {
        let shared: Arc<Shared> = Arc::default();
        let own = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may stand for events that were lost.
            if event.as_ref().is_ok_and(|event| !own.concerns(event)) {
                return;
            }
            let half = event.map_or(true, |event| leaves_half(event.kind));
            own.half.store(half, Ordering::Relaxed);
            own.changed.notify_one();
        })?;
        Ok(Self { watcher, folders: HashSet::new(), shared })
    }

    /// Watches `paths` from now on, and nothing else: files, and folders with all that is in them. Says whether a
    /// folder came in that was not watched before: then something may have changed there unseen.
    ///
    /// # Errors
    /// A folder cannot be watched.
    pub(crate) fn follow(&mut self, paths: &[PathBuf]) -> notify::Result<bool> {
        let spots = Spots::of(paths);
        let folders: HashSet<PathBuf> = spots.folders().map(Path::to_owned).collect();
        *self.shared.spots.lock() = spots;
        for gone in self.folders.difference(&folders) {
            // A folder that is gone has taken its watch along.
            drop(self.watcher.unwatch(gone));
        }
        // All of them anew: under a known name there may stand another folder by now.
        let mut failed = None;
        for folder in &folders {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if folder.exists() => failed = Some(error),
                Ok(()) | Err(_) => {}
            }
        }
        let fresh = folders.difference(&self.folders).next().is_some();
        self.folders = folders;
        failed.map_or(Ok(fresh), Err)
    }

    /// Waits for a change, and then until the files rest.
    pub(crate) async fn changed(&self) {
        self.shared.changed.notified().await;
        let last = Instant::now() + LONGEST;
        loop {
            let rest = if self.shared.half.load(Ordering::Relaxed) { REST } else { WHOLE_REST };
            let until = (Instant::now() + rest).min(last);
            if timeout_at(until, self.shared.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Shared {
    fn concerns(&self, event: &Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        let written = matches!(event.kind, EventKind::Access(AccessKind::Close(AccessMode::Write)));
        if matches!(event.kind, EventKind::Access(_)) && !written {
            // Our own reading, for one.
            return false;
        }
        let spots = self.spots.lock();
        event.paths.iter().any(|path| spots.holds(path))
    }
}

/// Whether more of the file may follow what was done to it.
fn leaves_half(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_))
    )
}

#[cfg(test)]
mod tests;
