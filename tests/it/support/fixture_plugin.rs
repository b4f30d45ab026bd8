//! The conformance suite's tools as a plugin, in a folder that somebody looks after.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::{TempDir, tempdir};
use tokio::{task::JoinSet, time::interval};

use super::{TestHub, fixtures, plugins::Folder};

const COMPONENT: &str = "tests/fixture-plugin/built/fixture.wasm";
const MANIFEST: &str = "fixture.toml";

/// A hub that serves the tools. Dropping what comes with it removes the plugin's files.
pub(crate) async fn serve() -> (TestHub, JoinSet<()>) {
    let operator = Operator::new();
    let hub = operator.folder.hub_with(fixtures::give_back_soon).await;
    let statuses = hub.plugins().statuses(None);
    let is_served = statuses.iter().any(|status| status.serving.is_some());
    assert!(is_served, "the fixture plugin is kept out: {statuses:?}");
    let mut task = JoinSet::new();
    task.spawn(operator.fulfil_wishes());
    (hub, task)
}

/// Changes the plugin's configuration whenever the tool that changes the list was called: a plugin
/// lists its tools when its files change, and it has no say in that.
struct Operator {
    folder: Folder,
    /// The plugin may write here, and leaves word of its wish.
    wishes: TempDir,
}

impl Operator {
    fn new() -> Self {
        let operator = Self { folder: Folder::new(), wishes: tempdir().expect("a folder") };
        operator.configure(0);
        operator.folder.put("fixture.wasm", fs::read(component()).expect("a file"));
        operator
    }

    fn configure(&self, changes: u64) {
        let wishes = self.wishes.path().display();
        let manifest =
            format!("[permissions]\nwrite = ['{wishes}']\n\n[config]\nchanges = {changes}\n");
        self.folder.put(MANIFEST, manifest);
    }

    async fn fulfil_wishes(self) {
        let wish = self.wishes.path().join("change");
        let mut glances = interval(Duration::from_millis(5));
        for changes in 1.. {
            while fs::remove_file(&wish).is_err() {
                glances.tick().await;
            }
            self.configure(changes);
        }
    }
}

/// What the build puts there; a test without it must not pass as if it had run.
fn component() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMPONENT);
    let build = "tests/fixture-plugin/build";
    assert!(path.exists(), "{} is not there: run ./test, or {build}", path.display());
    path
}
