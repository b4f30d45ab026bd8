//! Native code of plugins: compiled in a child process, kept in a private folder by digest.
//!
//! Compiling cannot be interrupted, takes seconds for a big component and keeps its memory, so it
//! happens in a process of the same binary that is bounded in time and memory and gives way to
//! everybody else. What it makes is believed without looking, so the folder must be nobody else's.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use bytesize::ByteSize;
use mcp_hub_sandbox::{Layout, Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{meters, options::Options};

/// As much of the compiler's complaints as is read, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 4 * 1024;
/// Half-written files older than this were left by a hub that was killed.
const STALE: Duration = Duration::from_secs(3600);
const EXTENSION: &str = ".cwasm";
const UNFINISHED: &str = ".part";

/// Why there is no native code of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum Uncompiled {
    #[error("the compiler refused it: {0}")]
    Refused(String),
    #[error("compiling it takes longer than {0:?} (plugins.compile_time)")]
    Late(Duration),
    #[error(
        "compiling it takes more than {} of memory (plugins.compile_memory), or the compiler \
         crashed ({status})",
        .memory.display().iec()
    )]
    Crashed { memory: ByteSize, status: ExitStatus },
    #[error("the compiler does not run: {0}")]
    Io(#[from] io::Error),
}

/// Why native code cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum NoCache {
    #[error("plugins.cache: {} cannot be made: {source}", folder.display())]
    Unmade { folder: PathBuf, source: io::Error },
    #[error(
        "plugins.cache: {} belongs to somebody else or others may write to it: native code kept \
         there could be anybody's; make it yours alone (chmod 700) or name another folder",
        .0.display()
    )]
    NotPrivate(PathBuf),
}

/// The digest of a file, in hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of native code, and the compiler that fills it.
pub(super) struct Natives {
    folder: PathBuf,
    size_max: ByteSize,
    /// The program that compiles: this very one.
    program: PathBuf,
    compiles: Semaphore,
    time: Duration,
    memory: ByteSize,
}

/// Where the native code is, and what it cost.
pub(super) struct Native {
    pub path: PathBuf,
    /// `None` when it was there already.
    pub compiled_in: Option<Duration>,
}

impl Natives {
    /// Keeps native code in `folder`. `program` is the hub's own binary.
    pub(super) fn new(folder: &Path, program: PathBuf, options: &Options) -> Result<Self, NoCache> {
        let unmade = |source| NoCache::Unmade { folder: folder.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unmade)?;
        let metadata = fs::metadata(folder).map_err(unmade)?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_ours || metadata.mode() & 0o022 != 0 {
            return Err(NoCache::NotPrivate(folder.to_owned()));
        }
        Ok(Self {
            folder: folder.to_owned(),
            size_max: options.cache_size,
            program,
            compiles: Semaphore::new(options.compiles.get()),
            time: options.compile_time,
            memory: options.compile_memory,
        })
    }

    /// The native code of `wasm`, from the folder or made now.
    pub(super) async fn of(
        &self,
        wasm: &Bytes,
        digest: &str,
        sandbox: &Sandbox,
    ) -> Result<Native, Uncompiled> {
        let name = format!("{digest}-{:016x}{EXTENSION}", sandbox.fingerprint());
        let path = self.folder.join(name);
        if Self::is_there(&path) {
            return Ok(Native { path, compiled_in: None });
        }
        let _turn = self.compiles.acquire().await.expect("never closed");
        // Another copy of the same file may have been before us in the queue.
        if Self::is_there(&path) {
            return Ok(Native { path, compiled_in: None });
        }
        let started = Instant::now();
        self.compile(wasm, &path, sandbox.layout()).await?;
        self.prune(&path);
        let time = started.elapsed();
        meters::compiled(time);
        Ok(Native { path, compiled_in: Some(time) })
    }

    /// Native code that cannot be loaded after all, as after a crash of the machine, is thrown away.
    pub(super) fn forget(native: &Native) {
        if let Err(error) = fs::remove_file(&native.path) {
            tracing::debug!(%error, "native code that cannot be loaded stays in the cache");
        }
    }

    /// Whether there is native code at `path`; asked for, it counts as used.
    fn is_there(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        // Only the order in which files are pruned hangs on this.
        #[expect(
            clippy::disallowed_methods,
            reason = "compared with times of the file system only"
        )]
        drop(file.set_modified(SystemTime::now()));
        true
    }

    async fn compile(&self, wasm: &Bytes, path: &Path, layout: Layout) -> Result<(), Uncompiled> {
        let unfinished = tempfile::Builder::new().suffix(UNFINISHED).tempfile_in(&self.folder)?;
        let output = unfinished.reopen()?;
        let mut child = Command::new(&self.program)
            .args(["plugin", "compile"])
            .args(["--layout", layout.as_str()])
            .args(["--memory", &self.memory.as_u64().to_string()])
            .args(["--time", &self.time.as_secs().max(1).to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (mut stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let mut complaint = Vec::new();
        let work = async {
            let feed = async {
                if let Some(mut stdin) = stdin.take() {
                    // A compiler that does not read on says why itself.
                    drop(stdin.write_all(wasm).await);
                }
            };
            let hear = async {
                if let Some(stderr) = stderr {
                    stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint).await
                } else {
                    Ok(0)
                }
            };
            let ((), heard, status) = tokio::join!(feed, hear, child.wait());
            heard.and(status)
        };
        let Ok(status) = timeout(self.time, work).await else {
            return Err(Uncompiled::Late(self.time));
        };
        let status = status?;
        match status.code() {
            Some(0) => {
                unfinished.persist(path).map_err(|unkept| unkept.error)?;
                Ok(())
            }
            Some(1) => {
                let complaint = String::from_utf8_lossy(&complaint);
                Err(Uncompiled::Refused(complaint.trim().to_owned()))
            }
            _ => Err(Uncompiled::Crashed { memory: self.memory, status }),
        }
    }

    /// Deletes what was used longest ago until the rest is within the bound, and what was left
    /// half-made. `kept` stays.
    fn prune(&self, kept: &Path) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (modified, size, path) in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let goes = if name.ends_with(UNFINISHED) {
                modified.elapsed().is_ok_and(|age| age > STALE)
            } else {
                name.ends_with(EXTENSION) && total > self.size_max.as_u64() && path != kept
            };
            if goes && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with three files of native code, the first used longest ago, and one that is none.
    fn filled(folder: &Path, size_max: u64) -> Natives {
        for (number, name) in ["a.cwasm", "b.cwasm", "c.cwasm", "readme"].into_iter().enumerate() {
            let file = File::create(folder.join(name)).unwrap();
            file.set_len(10).unwrap();
            let used = Duration::from_secs(u64::try_from(number).unwrap());
            file.set_modified(SystemTime::UNIX_EPOCH + used).unwrap();
        }
        let options = Options { cache_size: ByteSize(size_max), ..Options::default() };
        Natives::new(folder, PathBuf::new(), &options).unwrap()
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        for (size_max, left) in [
            (41, "a.cwasm b.cwasm c.cwasm readme"),
            (40, "a.cwasm b.cwasm c.cwasm readme"),
            (39, "b.cwasm c.cwasm readme"),
            // Neither what was just made nor what is nobody's business goes, however little room is.
            (0, "c.cwasm readme"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let natives = filled(folder.path(), size_max);
            natives.prune(&folder.path().join("c.cwasm"));
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names.join(" "), left, "{size_max} bytes");
        }
    }
}
