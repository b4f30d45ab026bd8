//! What one plugin may do beyond computing. By default: nothing.

use std::{collections::BTreeMap, path::PathBuf};

use ipnet::IpNet;

use super::network::Rule;

/// The permissions and the configuration of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Where it may send HTTP requests.
    pub network: Vec<Rule>,
    /// Private addresses at which those hosts may be.
    pub addresses: Vec<IpNet>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// The folders it sees.
    pub folders: Vec<Folder>,
    /// What `host.config` answers.
    pub config: BTreeMap<String, String>,
}

/// A folder of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub host: PathBuf,
    /// Under which name the guest sees it.
    pub guest: String,
    pub is_writable: bool,
}
