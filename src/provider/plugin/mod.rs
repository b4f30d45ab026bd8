//! Plugins: WASI components in a watched folder, each a provider like any other.
//!
//! A file is taken in as a whole or not at all ([`load`]): what is there now goes on serving until
//! what comes has been compiled, has listed its tools and was accepted by the hub; calls in flight
//! end where they began. What may go wrong in Wasm stays in [`mcp_hub_sandbox`].

mod answering;
mod board;
mod folder;
mod keeper;
mod load;
pub(crate) mod manifest;
mod meters;
mod native;
mod options;
mod watch;

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot, watch::Receiver};

use self::{
    board::Board,
    folder::Place,
    keeper::{Keeper, Wish},
};
pub use self::{
    load::{Environment, Fault, Loaded, Loader},
    native::NoCache,
    options::Options,
};
use crate::{
    hub::Hub,
    lifecycle::Lifecycle,
    model::{
        id::UserId,
        plugin::{ActionRefused, PluginAction, PluginStatus},
    },
};

/// The plugins of a hub. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    board: Board,
    loader: Loader,
    wishes: mpsc::Sender<Wish>,
    ready: Receiver<bool>,
}

/// Wishes of admins that wait for the keeper.
const WISHES_MAX: usize = 16;

impl Plugins {
    /// Offers what is in `folder`, and follows its changes until the hub closes.
    pub fn start(folder: PathBuf, loader: Loader, hub: Hub, lifecycle: &Lifecycle) -> Self {
        meters::prepare();
        let board = Board::new(hub.clone());
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let (tell_ready, ready) = tokio::sync::watch::channel(false);
        let keeper = Keeper::new(folder, loader.clone(), hub, board.clone(), tell_ready, wished);
        lifecycle.spawn_chore(keeper.run());
        Self { board, loader, wishes, ready }
    }

    /// Whether everything that was in the folder at the start has been taken in or kept out.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits for that.
    pub async fn ready(&self) {
        // If nobody will ever tell, the hub is closing.
        drop(self.ready.clone().wait_for(|ready| *ready).await);
    }

    /// Brings the metrics of plugins up to date.
    pub fn measure(&self) {
        meters::measure(&self.board, &self.loader);
    }

    /// How the plugins fare that `user` may use; all of them for `None`.
    pub fn statuses(&self, user: Option<&UserId>) -> Vec<PluginStatus> {
        self.board.statuses(user)
    }

    /// Does what an admin wishes with a plugin: `user`'s, or one of everybody's. Loading goes on
    /// after this has returned. `by` is that admin.
    pub async fn act(
        &self,
        user: Option<UserId>,
        name: &str,
        action: PluginAction,
        by: UserId,
    ) -> Result<PluginStatus, ActionRefused> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish { place: Place { user, name: name.into() }, action, by, answer };
        self.wishes.send(wish).await.map_err(|_closed| ActionRefused::Stopping)?;
        answered.await.unwrap_or(Err(ActionRefused::Stopping))
    }
}
