//! Open files, of which every connection is one at both of its ends.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process has open besides connections, and some to spare.
const OTHERS: u64 = 200;

/// Lets this process, and those it starts from now on, have as many connections. Fails when the
/// system allows fewer.
pub(crate) fn allow(connections: usize) -> anyhow::Result<()> {
    let needed = u64::try_from(connections)? + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|maximum| maximum >= needed),
        "{connections} connections need {needed} open files, and the hard limit is {}; \
         `ulimit -Hn {needed}`, as root, raises it",
        maximum.unwrap_or_default()
    );
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })?)
}
