//! How many files, and so connections, the process may hold open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside connections: logs, plugins, providers' pipes, what is read and written.
const OTHERS: u64 = 256;

/// Allows the process as many open files as its administrator permits it, and says so when that is
/// not enough for `connections`. The limit a process starts with is a low one, for the sake of
/// programs that `select`.
pub fn allow_open_files(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let have = getrlimit(Resource::Nofile).current;
    if let Some(have) = have.filter(|have| *have < wanted) {
        tracing::warn!(
            open_files = have,
            wanted,
            "the system lets this process open fewer files than limits.connections asks for: \
             raise its limit (`ulimit -Hn`, LimitNOFILE=) or lower limits.connections"
        );
    }
}
