//! A server and all that it has started, wherever that has gone.
//!
//! What a process starts can leave its group (`setsid`) and its parent (a daemon), but on Linux not
//! its ancestors: the guard is a subreaper, so whoever loses a parent becomes a child of the guard
//! rather than of `init`. When it has no children any more, nobody is left.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
};

use rustix::process::{
    Pid, Signal, WaitOptions, getpgrp, getpid, kill_process, kill_process_group, wait,
};
use tokio::{
    signal::unix::{Signal as Signals, SignalKind, signal},
    time::{Duration, Instant, sleep, timeout},
};

/// How long what is left is killed, again and again: something may be started meanwhile.
const KILLING_TIME: Duration = Duration::from_secs(1);
/// From one round of it to the next.
const ROUND: Duration = Duration::from_millis(5);

/// Everybody is reaped here, the server too: all that end become our children sooner or later, and
/// would else pile up as zombies.
pub(super) struct Family {
    server: Pid,
    /// How the server ended, once it has.
    status: Option<ExitStatus>,
    deaths: Signals,
}

impl Family {
    /// Starts the server; it gets our input, output and log.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(getpid()))?;
        let deaths = signal(SignalKind::child())?;
        let server = command.spawn()?.id();
        let server = i32::try_from(server).ok().and_then(Pid::from_raw);
        let server = server.ok_or_else(|| io::Error::other("it has no id"))?;
        Ok(Self { server, status: None, deaths })
    }

    /// Waits for the end of the server, which was not asked to end. Dropping the future loses
    /// nothing.
    pub(super) async fn server_ended(&mut self) -> ExitStatus {
        loop {
            self.reap();
            if let Some(status) = self.status {
                return status;
            }
            self.deaths.recv().await;
        }
    }

    /// Whether the server ends in time.
    pub(super) async fn server_ends_within(&mut self, time: Duration) -> bool {
        timeout(time, self.server_ended()).await.is_ok()
    }

    /// Asks the server to end, and its group.
    pub(super) fn terminate(&self) {
        if self.status.is_some() {
            return;
        }
        if !end_group(Signal::TERM) {
            kill_process(self.server, Signal::TERM).ok();
        }
    }

    /// Kills all that are left.
    pub(super) async fn end(mut self) {
        let deadline = Instant::now() + KILLING_TIME;
        while Instant::now() < deadline {
            if !self.reap() && cfg!(target_os = "linux") {
                return;
            }
            for process in descendants() {
                // It may have ended by now.
                kill_process(process, Signal::KILL).ok();
            }
            if !cfg!(target_os = "linux") {
                break;
            }
            sleep(ROUND).await;
        }
        // What is left is not ours to kill, or cannot be found. This ends the guard as well.
        end_group(Signal::KILL);
        if self.status.is_none() {
            kill_process(self.server, Signal::KILL).ok();
        }
    }

    /// Takes note of those that have ended; says whether there are others.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.server => {
                    self.status = Some(ExitStatus::from_raw(status.as_raw()));
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                Err(_no_children) => return false,
            }
        }
    }
}

/// Sends `signal` to all processes of the group, if this one leads it; else it was started by hand,
/// and the group is somebody else's.
fn end_group(signal: Signal) -> bool {
    let group = getpgrp();
    group == getpid() && kill_process_group(group, signal).is_ok()
}

/// All processes below this one.
#[cfg(target_os = "linux")]
fn descendants() -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let mut others: Vec<_> = ids.filter_map(|id| Some((id, parent(id)?))).collect();
    let mut found = vec![getpid()];
    let mut seen = 0;
    while let Some(&ancestor) = found.get(seen) {
        seen += 1;
        let children = others.extract_if(.., |(_, parent)| *parent == ancestor);
        found.extend(children.map(|(id, _)| id));
    }
    found.split_off(1)
}

/// proc(5): `id (name) state parent …`, where the name can be anything.
#[cfg(target_os = "linux")]
fn parent(process: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

/// There is no telling.
#[cfg(not(target_os = "linux"))]
fn descendants() -> Vec<Pid> {
    Vec::new()
}
