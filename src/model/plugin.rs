//! How a plugin fares, as it is told to people.

use std::time::Duration;

use serde::Serialize;

use super::id::UserId;

/// One plugin file and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// The file's name without `.wasm`.
    pub name: Box<str>,
    /// Whose it is; everybody's if nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    pub state: PluginState,
    /// Why the file as it is now is kept out. What was loaded before it goes on serving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What serves now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    /// Permissions its calls lacked lately.
    pub denied: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// The file is being read, compiled or asked for its tools.
    Loading,
    Serving,
    /// The file as it is now is kept out.
    Faulty,
}

/// A version of a plugin that serves.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    pub compile: Option<Duration>,
}

fn milliseconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let time = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    time.serialize(to)
}
