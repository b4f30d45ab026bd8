//! A server in a process of its own, which ends with its guard.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long a server may take to get ready.
const PATIENCE: Duration = Duration::from_secs(20);

/// Linux counts processor time in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts `command` in an empty folder and keeps what it says in a file: a pipe would have to
    /// be drained by the very process that measures.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = File::create(log_of(folder.path()))?;
        let child = command
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {command:?}"))?;
        Ok(Self { child, folder })
    }

    /// This program again, in the role that `arguments` name.
    pub(crate) fn role(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command)
    }

    /// The port of the first address with `path` that the server names.
    pub(crate) async fn port_of(&mut self, path: &str) -> anyhow::Result<u16> {
        self.once(|log| port_in(log, path)).await
    }

    pub(crate) async fn says(&mut self, word: &str) -> anyhow::Result<()> {
        self.once(|log| log.contains(word).then_some(())).await
    }

    async fn once<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = fs::read_to_string(log_of(self.folder.path()))?;
            if let Some(found) = look(&log) {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended with {status}, having said:\n{log}");
            }
            if Instant::now() > deadline {
                bail!("a server was not ready within {PATIENCE:?}, having said:\n{log}");
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Processor time used so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> anyhow::Result<f64> {
        processor_seconds(self.child.id())
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("no VmRSS in /proc/PID/status")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Processor time a process has used so far, in seconds.
pub(crate) fn processor_seconds(process: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th fields
    // after it.
    let fields = stat.rsplit(')').next().context("an odd /proc/PID/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(f64::from(ticks.sum::<Result<u32, _>>()?) / TICKS_PER_SECOND)
}

fn log_of(folder: &Path) -> std::path::PathBuf {
    folder.join("log")
}

fn port_in(log: &str, path: &str) -> Option<u16> {
    log.split("127.0.0.1:").skip(1).find_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (port, rest) = rest.split_at(digits);
        rest.starts_with(path).then(|| port.parse().ok()).flatten()
    })
}
