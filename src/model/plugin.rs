//! How a plugin fares, as it is told to people.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::{clock::Timestamp, id::UserId};

/// One plugin file and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// The file's name without `.wasm`.
    #[schema(value_type = String)]
    pub name: Box<str>,
    /// Whose it is; everybody's if nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    pub state: PluginState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why the file as it is now is kept out. What was loaded before it goes on serving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What serves now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    /// Permissions its calls lacked lately; of everybody's plugins, for admins only.
    pub denied: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// The file is being read, compiled or asked for its tools.
    Loading,
    Serving,
    /// The file as it is now is kept out.
    Faulty,
    /// It is kept out on purpose: a file NAME.disabled lies beside it.
    Disabled,
}

impl PluginState {
    pub const ALL: [Self; 4] = [Self::Loading, Self::Serving, Self::Faulty, Self::Disabled];

    pub fn label(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Serving => "serving",
            Self::Faulty => "faulty",
            Self::Disabled => "disabled",
        }
    }
}

/// What an admin may do to a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginAction {
    /// Read it anew, even if its file has not changed.
    Reload,
    /// Let it in again.
    Enable,
    /// Keep it out, until it is enabled: beyond the next start of the hub, too.
    Disable,
}

/// Why an admin's wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum ActionRefused {
    #[error("there is no plugin of this name")]
    NoSuchPlugin,
    #[error("it is disabled: enable it first")]
    Disabled,
    #[error(
        "{file} cannot be {verb}: {error}; do so by hand, or let the hub write to its plugins folder"
    )]
    Unwritable { verb: &'static str, file: String, error: std::io::Error },
    #[error("the hub is stopping")]
    Stopping,
}

/// A version of a plugin that serves.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// SHA-256 of the file, in hexadecimal digits.
    pub digest: Box<str>,
    /// The size of the file.
    pub bytes: usize,
    pub tools: Vec<Box<str>>,
    /// The interfaces it may ask the host by.
    pub imports: Vec<Box<str>>,
    /// What its NAME.toml grants, a sentence each.
    pub permissions: Vec<String>,
    /// Sentences about what of it cannot be offered.
    pub warnings: Vec<String>,
    /// How long it took to compile, in milliseconds; absent when its native code was in the cache.
    #[serde(
        rename = "compileMs",
        skip_serializing_if = "Option::is_none",
        serialize_with = "milliseconds"
    )]
    #[schema(value_type = Option<u64>)]
    pub compile: Option<Duration>,
}

fn milliseconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let time = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    time.serialize(to)
}
