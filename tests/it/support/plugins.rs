//! A folder of plugins that a test edits while a hub watches it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use mcp_hub::{config::Config, hub::Hub, model::id::UserId};
use serde_json::Value;
use tempfile::TempDir;

use super::{TestHub, eventually};

pub(crate) struct Folder {
    place: TempDir,
    copies: AtomicUsize,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join("plugins")).expect("room");
        Self { place, copies: AtomicUsize::new(0) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("plugins")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Puts a file in place as careful programs do: whole, by a rename.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let copy = self.copies.fetch_add(1, Ordering::Relaxed);
        let whole = self.place.path().join(format!("{copy}.part"));
        fs::write(&whole, content).expect("room");
        let file = self.file(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("room");
        fs::rename(whole, file).expect("the same file system");
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("it was there");
    }

    /// A hub that watches this folder.
    pub(crate) async fn hub(&self) -> TestHub {
        self.hub_with(|_| {}).await
    }

    pub(crate) async fn hub_with(&self, change: impl FnOnce(&mut Config)) -> TestHub {
        let folder = self.path();
        let hub = TestHub::with(|config| {
            config.plugins.folder = folder;
            change(config);
        })
        .await;
        hub.plugins().ready().await;
        hub
    }
}

/// Whether everybody, or that user, is offered a tool.
pub(crate) fn offers(hub: &Hub, user: &UserId, tool: &str) -> bool {
    hub.user(user).view().stack(tool).is_some()
}

/// Waits until `public` is offered these tools and no others.
pub(crate) async fn offered(hub: &TestHub, tools: &[&str]) {
    let mut wanted: Vec<_> = tools.to_vec();
    wanted.sort_unstable();
    let what = format!("{wanted:?} are offered");
    eventually(&what, || {
        let view = hub.hub().user(&UserId::public()).view();
        let mut names: Vec<_> = view.names().map(|name| name.as_str().to_owned()).collect();
        names.sort_unstable();
        names == wanted
    })
    .await;
}

/// What `/api/v1/plugins` says of a plugin.
pub(crate) async fn status(hub: &TestHub, token: Option<&str>, name: &str) -> Option<Value> {
    let mut request = reqwest::Client::new().get(format!("{}/api/v1/plugins", hub.url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    let text = answer.text().await.expect("a body");
    let mut all: Value = serde_json::from_str(&text).expect("JSON");
    let plugins = all["plugins"].as_array_mut().expect("an array");
    let found = plugins.iter_mut().find(|plugin| plugin["name"] == name);
    found.map(Value::take)
}

/// The reason a plugin is kept out for, once it is.
pub(crate) async fn fault(hub: &TestHub, name: &str) -> String {
    let mut fault = String::new();
    eventually(&format!("{name} is kept out"), || {
        let statuses = hub.plugins().statuses(None);
        let of = statuses.into_iter().find(|status| *status.name == *name);
        fault = of.and_then(|status| status.fault).unwrap_or_default();
        !fault.is_empty()
    })
    .await;
    fault
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
