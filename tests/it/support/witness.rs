//! Lets programs that other people wrote loose on the hub.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

const CONFORMANCE: &str = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
const INSPECTOR: &str =
    "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// The whole conformance suite takes less than half of this, on a slow machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// A program about to run.
pub(crate) struct Witness(Command);

impl Witness {
    pub(crate) fn conformance() -> Self {
        Self::node(CONFORMANCE)
    }

    pub(crate) fn inspector() -> Self {
        Self::node(INSPECTOR).with(["--cli"])
    }

    /// A script of ours, which uses somebody's client library.
    pub(crate) fn node(script: &str) -> Self {
        Self(Command::new(of_npm("node_modules/.bin/node"))).with([of_npm(script)])
    }

    pub(crate) fn python(script: &str) -> Self {
        Self::in_venv("python").with([folder().join(script)])
    }

    pub(crate) fn fastmcp() -> Self {
        Self::in_venv("fastmcp")
    }

    pub(crate) fn schemathesis() -> Self {
        Self::in_venv("schemathesis")
    }

    fn in_venv(program: &str) -> Self {
        let install = "python3 -m venv tests/witnesses/.venv && \
                       tests/witnesses/.venv/bin/pip install -r tests/witnesses/requirements.txt";
        Self(Command::new(installed(&format!(".venv/bin/{program}"), install)))
    }

    pub(crate) fn with<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    /// Runs to a good end and gives what was printed; panics with everything it said otherwise.
    pub(crate) async fn testify(mut self) -> String {
        self.0.current_dir(folder()).stdin(Stdio::null()).kill_on_drop(true);
        let run = timeout(PATIENCE, self.0.output()).await;
        let output = run.expect("the witness ends in time").expect("the witness starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{:?} ended with {}\n{printed}\n{complained}",
            self.0.as_std(),
            output.status
        );
        printed
    }
}

/// Where the witnesses are kept.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witnesses")
}

/// A file that `npm` puts there, or that is there anyway.
pub(crate) fn of_npm(file: &str) -> PathBuf {
    installed(file, "npm --prefix tests/witnesses ci")
}

/// A file that an install puts there; a test without it must not pass as if it had run.
fn installed(file: &str, install: &str) -> PathBuf {
    let path = folder().join(file);
    assert!(path.exists(), "{} is not there: run ./test, or {install}", path.display());
    path
}
