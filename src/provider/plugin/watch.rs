//! Hears of changes in the plugins folder, so that it is looked at at once and not when its turn
//! comes.
//!
//! That something changed is all that is taken from an event: what it is now, a look tells. So no
//! event can be misunderstood, and one that is lost costs the time until the next look.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use tokio::sync::Notify;

/// Folders watched at most; the rest is only looked at from time to time.
const FOLDERS_MAX: usize = 4_096;

/// Watches folders and rings when something in them changes.
pub(super) struct Watch {
    /// `None` where the system has no events to give.
    watcher: Option<RecommendedWatcher>,
    /// What is watched, and which folder that was when it began.
    watched: HashMap<PathBuf, (u64, u64)>,
    root: PathBuf,
}

impl Watch {
    /// `bell` is rung at every change in or of `root` and the folders named later.
    pub(super) fn new(root: &Path, bell: Arc<Notify>) -> Self {
        let about = root.to_owned();
        let hear = move |event: notify::Result<notify::Event>| {
            let is_telling = match &event {
                // Opening and reading change nothing; our own looks would ring the bell for ever.
                Ok(event) => {
                    !matches!(event.kind, EventKind::Access(_))
                        && event.paths.iter().any(|path| path.starts_with(&about))
                }
                // Events were lost.
                Err(_) => true,
            };
            if is_telling {
                bell.notify_one();
            }
        };
        let watcher = recommended_watcher(hear)
            .map_err(|error| {
                tracing::warn!(%error, "no events from the plugins folder: it is looked at in turn");
            })
            .ok();
        Self { watcher, watched: HashMap::new(), root: root.to_owned() }
    }

    /// Watches `folders` from now on, and the one that holds the root, in which it may come and go.
    pub(super) fn follow(&mut self, folders: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let parent = self.root.parent().map(Path::to_owned);
        let wanted = parent.iter().chain(folders).take(FOLDERS_MAX);
        let mut now = HashMap::new();
        for folder in wanted {
            let Ok(metadata) = fs::metadata(folder) else { continue };
            let identity = (metadata.dev(), metadata.ino());
            let before = self.watched.remove(folder);
            if before.is_some_and(|before| before != identity) {
                // Another folder of that name has come: the old watch went with the old one.
                drop(watcher.unwatch(folder));
            }
            let is_watched = before == Some(identity)
                || watcher
                    .watch(folder, RecursiveMode::NonRecursive)
                    .inspect_err(|error| tracing::debug!(%error, "a folder cannot be watched"))
                    .is_ok();
            if is_watched {
                now.insert(folder.clone(), identity);
            }
        }
        for gone in self.watched.keys() {
            drop(watcher.unwatch(gone));
        }
        self.watched = now;
    }
}
