//! Keeps what is on offer in step with what is in the folder.
//!
//! It looks at the folder when something in it has changed, and from time to time. A file that looks
//! different from what it knew is taken in once it has looked the same twice: one that is still being
//! written is left alone until it is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, mpsc, oneshot, watch::Sender},
    task::{self, AbortHandle, JoinError, JoinSet, spawn_blocking},
    time::{Instant, sleep_until},
};

use super::{
    board::Board,
    folder::{self, DISABLED, Found, Place, Scan, Signature},
    load::{Fault, Loaded, Loader},
    meters,
    watch::Watch,
};
use crate::{
    hub::{
        Hub,
        registry::{Audience, Registration},
    },
    model::{
        id::UserId,
        plugin::{ActionRefused, PluginAction, PluginStatus, Serving},
    },
};

/// How long changes are gathered before the folder is looked at.
const QUIET: Duration = Duration::from_millis(25);
/// … and at most, when they never cease.
const RESTLESS: Duration = Duration::from_millis(250);
/// How long a file must look the same before it is taken in.
const SETTLED: Duration = Duration::from_millis(40);
/// The longest reason that is told, in bytes.
const FAULT_BYTES_MAX: usize = 2_000;
/// A file that has been let alone for so long is taken in at once.
const OLD: Duration = Duration::from_secs(2);

pub(super) struct Keeper {
    root: PathBuf,
    loader: Loader,
    hub: Hub,
    board: Board,
    ready: Sender<bool>,
    bell: Arc<Notify>,
    watch: Watch,
    entries: BTreeMap<Place, Entry>,
    loads: JoinSet<Load>,
    oddities: BTreeSet<String>,
    wishes: mpsc::Receiver<Wish>,
    /// When the folder is looked at next, and when the bell first rang for it.
    look_at: Instant,
    rang_at: Option<Instant>,
}

/// What an admin wants done with a plugin.
pub(super) struct Wish {
    pub place: Place,
    pub action: PluginAction,
    /// The admin.
    pub by: UserId,
    pub answer: oneshot::Sender<Result<PluginStatus, ActionRefused>>,
}

/// What came of taking in a file.
type Load = (Place, Result<Loaded, Fault>);

/// What is known of one file.
struct Entry {
    wasm: PathBuf,
    signature: Signature,
    stage: Stage,
    /// Keeps on offer what serves now.
    live: Option<Registration>,
}

enum Stage {
    /// It looks as it does since then.
    Settling(Instant),
    Loading(AbortHandle),
    /// It was taken in or kept out.
    Done,
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Self::Loading(load) = self {
            load.abort();
        }
    }
}

impl Keeper {
    pub(super) fn new(
        root: PathBuf,
        loader: Loader,
        hub: Hub,
        board: Board,
        ready: Sender<bool>,
        wishes: mpsc::Receiver<Wish>,
    ) -> Self {
        let bell = Arc::new(Notify::new());
        let watch = Watch::new(&root, Arc::clone(&bell));
        Self {
            root,
            loader,
            hub,
            board,
            ready,
            bell,
            watch,
            entries: BTreeMap::new(),
            loads: JoinSet::new(),
            oddities: BTreeSet::new(),
            wishes,
            look_at: Instant::now(),
            rang_at: None,
        }
    }

    /// Runs until dropped; then nothing is on offer any more.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.loads.join_next_with_id() => self.ended(ended),
                () = sleep_until(self.look_at) => self.look().await,
                () = self.bell.notified() => self.rang(),
                Some(wish) = self.wishes.recv() => self.grant(wish).await,
            }
            if !*self.ready.borrow() && self.is_settled() {
                self.ready.send_replace(true);
            }
        }
    }

    /// Whether everything that was found has been taken in or kept out.
    fn is_settled(&self) -> bool {
        self.rang_at.is_none()
            && self.look_at > Instant::now()
            && self.entries.values().all(|entry| matches!(entry.stage, Stage::Done))
    }

    fn rang(&mut self) {
        let now = Instant::now();
        let first = *self.rang_at.get_or_insert(now);
        self.look_at = (now + QUIET).min(first + RESTLESS);
    }

    async fn look(&mut self) {
        self.rang_at = None;
        self.look_at = Instant::now() + self.loader.options.poll;
        let root = self.root.clone();
        let Ok(scan) = spawn_blocking(move || folder::scan(&root)).await else {
            tracing::error!("looking at the plugins folder failed");
            return;
        };
        self.watch.follow(&scan.folders);
        self.complain(&scan);
        self.withdraw(&scan);
        for (place, found) in &scan.found {
            self.consider(place, found);
        }
    }

    /// Tells of odd files once.
    fn complain(&mut self, scan: &Scan) {
        for oddity in scan.oddities.difference(&self.oddities) {
            tracing::warn!(oddity, "a file in the plugins folder is passed over");
        }
        self.oddities.clone_from(&scan.oddities);
    }

    /// Takes off what is not there any more.
    fn withdraw(&mut self, scan: &Scan) {
        for (place, _) in self.entries.extract_if(.., |place, _| !scan.found.contains_key(place)) {
            tracing::info!(plugin = %place.name, user = user(&place), "a plugin is gone");
            self.board.gone(&place);
        }
    }

    fn consider(&mut self, place: &Place, found: &Found) {
        let now = Instant::now();
        let entry = self.entries.entry(place.clone()).or_insert_with(|| Entry {
            wasm: found.wasm.clone(),
            signature: found.signature,
            stage: Stage::Settling(now),
            live: None,
        });
        if entry.signature != found.signature {
            entry.signature = found.signature;
            entry.stage = Stage::Settling(now);
        }
        if found.signature.is_disabled {
            if !matches!(entry.stage, Stage::Done) {
                tracing::info!(plugin = %place.name, user = user(place), "a plugin is disabled");
                (entry.stage, entry.live) = (Stage::Done, None);
                self.board.is_disabled(place);
            }
            return;
        }
        let Stage::Settling(since) = entry.stage else { return };
        if now < since + SETTLED && !found.signature.is_older_than(OLD, system_now()) {
            self.look_at = self.look_at.min(since + SETTLED);
            return;
        }
        self.board.loading(place);
        let (loader, place, found) = (self.loader.clone(), place.clone(), found.clone());
        entry.stage = Stage::Loading(self.loads.spawn(async move {
            let loaded = loader.load(&found.wasm, &found.manifest).await;
            (place, loaded)
        }));
    }

    /// Does what an admin wants, as if they had done it to the files.
    async fn grant(&mut self, wish: Wish) {
        let Wish { place, action, by, answer } = wish;
        tracing::info!(
            plugin = %place.name, user = user(&place), %by, ?action, "an admin acts on a plugin"
        );
        let done = self.act(&place, action).await;
        if done.is_ok() {
            self.look().await;
        }
        let status = || self.board.status(&place).ok_or(ActionRefused::NoSuchPlugin);
        // Who asked may have left.
        drop(answer.send(done.and_then(|()| status())));
    }

    async fn act(&mut self, place: &Place, action: PluginAction) -> Result<(), ActionRefused> {
        let entry = self.entries.get_mut(place).ok_or(ActionRefused::NoSuchPlugin)?;
        let mark = entry.wasm.with_extension(DISABLED);
        if action == PluginAction::Reload {
            if entry.signature.is_disabled {
                return Err(ActionRefused::Disabled);
            }
            let now = Instant::now();
            entry.stage = Stage::Settling(now.checked_sub(SETTLED).unwrap_or(now));
            return Ok(());
        }
        let written = spawn_blocking(move || folder::mark(&mark, action == PluginAction::Disable));
        written.await.unwrap_or(Err(ActionRefused::Stopping))
    }

    fn ended(&mut self, ended: Result<(task::Id, Load), JoinError>) {
        let is_of = |load: task::Id, entry: &Entry| matches!(&entry.stage, Stage::Loading(current) if current.id() == load);
        let (load, place, loaded) = match ended {
            Ok((load, (place, loaded))) => (load, place, loaded),
            Err(error) => {
                // Aborted by a newer version of the file, as a rule.
                let of = |(_, entry): &(&Place, &Entry)| is_of(error.id(), entry);
                let Some((place, _)) = self.entries.iter().find(of) else { return };
                (error.id(), place.clone(), Err(Fault::Panicked))
            }
        };
        // The file may have changed again, or gone, since this load was begun.
        let entry = self.entries.get_mut(&place).filter(|entry| is_of(load, entry));
        let Some(entry) = entry else { return };
        entry.stage = Stage::Done;
        if let Some(limit) = loaded.as_ref().err().and_then(Fault::limit) {
            self.hub.registry().hit(place.user.as_ref(), limit);
        }
        let offered = loaded.map_err(|fault| told(&fault)).and_then(|loaded| {
            let plugin = loaded.plugin.clone();
            let audience = place.user.clone().map_or(Audience::Everyone, Audience::One);
            let registration = loaded.offer(&self.hub, audience, &place.name);
            Ok((registration.map_err(|refused| refused.to_string())?, serving(loaded), plugin))
        });
        let outcome = match offered {
            Ok((registration, serving, plugin)) => {
                tracing::info!(
                    plugin = %place.name,
                    user = user(&place),
                    tools = serving.tools.len(),
                    digest = &*serving.digest,
                    compile_ms = serving.compile.map(milliseconds),
                    "a plugin serves"
                );
                for warning in &serving.warnings {
                    tracing::warn!(plugin = %place.name, user = user(&place), warning, "of a plugin");
                }
                // The version before was superseded in the same step; calls to it end where they are.
                entry.live = Some(registration);
                self.board.serves(&place, serving, plugin);
                meters::SERVING
            }
            Err(fault) => {
                tracing::warn!(
                    plugin = %place.name,
                    user = user(&place),
                    fault,
                    last_good_serves = entry.live.is_some(),
                    "a plugin is kept out"
                );
                self.board.is_faulty(&place, fault);
                meters::FAULTY
            }
        };
        meters::loaded(outcome);
    }
}

fn serving(loaded: Loaded) -> Serving {
    Serving {
        digest: loaded.digest.into(),
        bytes: loaded.bytes,
        tools: loaded.tools.iter().map(|tool| tool.name.as_str().into()).collect(),
        imports: loaded.outline.imports.into_iter().map(Into::into).collect(),
        permissions: loaded.permissions,
        warnings: loaded.warnings,
        compile: loaded.compiled_in,
    }
}

/// A reason, as much of it as a person can bear: parts of it may be the plugin's own words.
fn told(fault: &Fault) -> String {
    let mut told = fault.to_string();
    told.truncate(told.floor_char_boundary(FAULT_BYTES_MAX));
    told
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn user(place: &Place) -> Option<&str> {
    place.user.as_ref().map(|user| user.as_str())
}

#[expect(clippy::disallowed_methods, reason = "compared with times of the file system only")]
fn system_now() -> SystemTime {
    SystemTime::now()
}
