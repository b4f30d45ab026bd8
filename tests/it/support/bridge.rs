//! `mcp-hub connect` in a process of its own, and the processes it starts.

use std::{fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Child,
    time::{Instant, sleep, timeout},
};

use super::{McpClient, PATIENCE, TestHub, binary::mcp_hub, witness};

/// A server takes longer to start than others take to answer.
const START: Duration = Duration::from_secs(30);

/// A bridge in a process of its own.
pub(crate) struct Bridge(Child);

impl Bridge {
    pub(crate) fn start(hub: &str, arguments: &[&str]) -> Self {
        Self::with_token(hub, None, arguments)
    }

    pub(crate) fn with_token(hub: &str, token: Option<&str>, arguments: &[&str]) -> Self {
        let mut environment = vec![("MCP_HUB_URL", hub), ("PATH", env!("PATH"))];
        environment.extend(token.map(|token| ("MCP_HUB_TOKEN", token)));
        let arguments = [&["connect"], arguments].concat();
        let mut command = mcp_hub(Path::new("/tmp"), &arguments, &environment);
        Self(command.spawn().expect("it starts"))
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().expect("it runs");
        kill(name, i32::try_from(id).expect("a process"));
    }

    /// The next line of its log that has `part` in it.
    pub(crate) async fn log_with(&mut self, part: &str) -> String {
        let mut lines = BufReader::new(self.0.stderr.as_mut().expect("piped")).lines();
        loop {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("a line in time");
            let line = line.expect("UTF-8").expect("a line");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Asks it to stop; gives its exit code and its log.
    pub(crate) async fn stopped(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.ended().await
    }

    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        let stderr = self.0.stderr.as_mut().expect("piped");
        timeout(PATIENCE, stderr.read_to_string(&mut log)).await.expect("an end").expect("UTF-8");
        let status = timeout(PATIENCE, self.0.wait()).await.expect("an end").expect("a status");
        (status.code(), log)
    }
}

pub(crate) fn kill(signal: &str, process: i32) {
    let status = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &process.to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

/// The processes with `mark` among their arguments, but for the bridge itself.
pub(crate) fn processes(mark: &str) -> Vec<(i32, Vec<String>)> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of = |id: i32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let arguments: Vec<_> = text.split('\0').map(str::to_owned).collect();
        let is_bridge = arguments.get(1).is_some_and(|first| first == "connect");
        (!is_bridge && arguments.iter().any(|argument| argument == mark)).then_some((id, arguments))
    };
    ids.filter_map(of).collect()
}

pub(crate) fn guard_of(mark: &str) -> i32 {
    let all = processes(mark);
    all.iter().find(|(_, arguments)| arguments[1] == "guard").expect("a guard").0
}

pub(crate) fn server_of(mark: &str) -> i32 {
    let all = processes(mark);
    all.iter().find(|(_, arguments)| arguments[1] != "guard").expect("a server").0
}

pub(crate) fn path(file: &str) -> String {
    witness::of_npm(file).to_str().expect("UTF-8").to_owned()
}

pub(crate) fn node() -> String {
    path("node_modules/.bin/node")
}

pub(crate) fn everything() -> String {
    path("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
}

pub(crate) async fn until_listed(client: &McpClient, tool: &str, is_listed: bool) {
    let deadline = Instant::now() + START;
    while client.tools().await.iter().any(|name| name == tool) != is_listed {
        assert!(Instant::now() < deadline, "{tool} is listed: {}", !is_listed);
        sleep(Duration::from_millis(20)).await;
    }
}

/// A bridge to the odd server, whose tools are listed.
pub(crate) async fn odd(hub: &TestHub, era: &str) -> (Bridge, McpClient) {
    let bridge = Bridge::start(hub.url(), &["--", &node(), &path("odd-server.mjs"), era]);
    let client = McpClient::new(hub);
    until_listed(&client, "verbatim", true).await;
    (bridge, client)
}
