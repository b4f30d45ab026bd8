//! The real binary, started as people start it: settings, environment and signals of its own.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use super::PATIENCE;

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary in `folder`, with nothing in its environment but `environment` and a
/// place for its cache.
pub(crate) fn mcp_hub(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-hub"));
    command.args(arguments).env_clear().current_dir(folder);
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs the binary until it ends.
pub(crate) async fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = mcp_hub(folder, arguments, environment).output();
    let output = timeout(PATIENCE, output).await.expect("it ends").expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A hub in a process of its own.
pub(crate) struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: ChildStderr,
    /// What it said when it started.
    pub(crate) announced: String,
    url: String,
}

impl Process {
    /// Starts `mcp-hub ARGUMENTS`, which should listen on port 0, and reads where it listens.
    pub(crate) async fn start(
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = mcp_hub(folder, arguments, environment).spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut stderr = child.stderr.take().expect("piped");
        let mut announced = String::new();
        while !announced.contains("access ") {
            let line = timeout(PATIENCE, stdout.next_line()).await.expect("in time");
            let Some(line) = line.expect("UTF-8") else {
                let mut why = String::new();
                stderr.read_to_string(&mut why).await.expect("UTF-8");
                panic!("it did not start: {why}");
            };
            announced.extend([&line, "\n"]);
        }
        let endpoint = announced.lines().find_map(|line| line.trim().strip_prefix("clients"));
        let endpoint = endpoint.expect("an endpoint").trim();
        let url = endpoint.strip_suffix("/mcp").expect("the endpoint").to_owned();
        Self { child, stdout, stderr, announced, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What `/metrics` shows once it has these lines: a connection counts as closed after its farewell.
    pub(crate) async fn metrics_with(&self, expected: &[&str]) -> String {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let waiting = async {
            loop {
                let answer = http.get(format!("{}/metrics", self.url)).send().await;
                let metrics = answer.expect("an answer").text().await.expect("a text");
                if expected.iter().all(|line| metrics.lines().any(|have| have == *line)) {
                    return metrics;
                }
            }
        };
        timeout(PATIENCE, waiting).await.expect("it is counted in time")
    }

    /// Its process.
    pub(crate) fn id(&self) -> i32 {
        self.child.id().expect("it runs").try_into().expect("a small number")
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let kill = Command::new("kill").args([&format!("-{name}"), &id]).status().await;
        assert!(kill.expect("kill runs").success());
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let ending = async {
            let lines = async {
                while let Some(line) = self.stdout.next_line().await.expect("UTF-8") {
                    stdout.extend([&line, "\n"]);
                }
            };
            let (_, stderr_read) = tokio::join!(lines, self.stderr.read_to_string(&mut stderr));
            stderr_read.expect("UTF-8");
            self.child.wait().await.expect("it ends")
        };
        let status = timeout(PATIENCE, ending).await.expect("it ends in time");
        Ended { code: status.code(), stdout, stderr }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stopped(self) -> Ended {
        self.signal("TERM").await;
        self.ended().await
    }
}
