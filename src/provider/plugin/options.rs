//! The `[plugins]` table of the configuration.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use bytesize::ByteSize;
use serde::Deserialize;

use crate::model::units::{size, time};

/// Where plugins are and what they may use. What ends in `_max` is how far a plugin's own NAME.toml
/// may raise the bound of the same name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The folder that is watched. It need not be there yet.
    pub folder: PathBuf,
    /// Where native code is kept; by default a folder in the user's cache.
    pub cache: Option<PathBuf>,
    /// How much of it is kept.
    #[serde(deserialize_with = "size")]
    pub cache_size: ByteSize,
    /// One plugin file.
    #[serde(deserialize_with = "size")]
    pub file: ByteSize,
    /// Memory of one call.
    #[serde(deserialize_with = "size")]
    pub memory: ByteSize,
    #[serde(deserialize_with = "size")]
    pub memory_max: ByteSize,
    /// Memory of all calls that run at once.
    #[serde(deserialize_with = "size")]
    pub memory_total: ByteSize,
    /// Time of one call.
    #[serde(deserialize_with = "time")]
    pub time: Duration,
    #[serde(deserialize_with = "time")]
    pub time_max: Duration,
    /// What a call may hand over at once, its result above all.
    #[serde(deserialize_with = "size")]
    pub output: ByteSize,
    #[serde(deserialize_with = "size")]
    pub output_max: ByteSize,
    /// Calls of all plugins that may run at once.
    pub instances: NonZeroU32,
    /// Plugins that may be compiled at once.
    pub compiles: NonZeroUsize,
    /// How long compiling one may take.
    #[serde(deserialize_with = "time")]
    pub compile_time: Duration,
    /// How much memory that may take.
    #[serde(deserialize_with = "size")]
    pub compile_memory: ByteSize,
    /// How often the folder is looked at, in case its file system reports no changes.
    #[serde(deserialize_with = "time")]
    pub poll: Duration,
    /// The program that compiles plugins, if it is not the one that runs: in a test it is not.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("plugins"),
            cache: None,
            cache_size: ByteSize::gib(1),
            file: ByteSize::mib(64),
            memory: ByteSize::mib(64),
            memory_max: ByteSize::mib(256),
            memory_total: ByteSize::gib(4),
            time: Duration::from_secs(30),
            time_max: Duration::from_secs(300),
            output: ByteSize::mib(16),
            output_max: ByteSize::mib(64),
            instances: NonZeroU32::new(256).expect("not zero"),
            compiles: NonZeroUsize::MIN,
            compile_time: Duration::from_secs(120),
            compile_memory: ByteSize::gib(2),
            poll: Duration::from_secs(2),
            program: None,
        }
    }
}
