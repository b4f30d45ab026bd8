//! `NAME.toml`, the permissions, limits and configuration of one plugin. Without it there are none.

use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use ipnet::IpNet;
use mcp_hub_sandbox::{
    Bounds, Grants,
    grants::Folder,
    network::{self, BadRule, Rule},
};
use serde::{Deserialize, Deserializer};

use super::{folder::USERS, options::Options};
use crate::model::{limits::bytes, units};

/// The largest NAME.toml that is read, in bytes.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Variables of the hub's own that no plugin is given.
const WITHHELD: &str = "MCP_HUB_";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Manifest {
    permissions: Permissions,
    limits: Limits,
    config: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Permissions {
    network: Vec<String>,
    addresses: Vec<String>,
    env: BTreeMap<String, Variable>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

/// A variable's value, or the name of the hub's own variable that has it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or { from = \"NAME\" }")]
enum Variable {
    Text(String),
    From(From),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    from: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    #[serde(deserialize_with = "some_size")]
    memory: Option<ByteSize>,
    #[serde(deserialize_with = "some_time")]
    time: Option<Duration>,
    #[serde(deserialize_with = "some_size")]
    output: Option<ByteSize>,
}

fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ByteSize>, D::Error> {
    units::size(from).map(Some)
}

fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    units::time(from).map(Some)
}

/// Why a plugin is kept out because of its NAME.toml.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Unreadable(String),
    #[error("[permissions] network: {0}")]
    Network(#[from] BadRule),
    #[error(
        "[permissions] addresses: {0:?} is neither an address nor a network such as \"10.0.0.0/8\""
    )]
    Address(String),
    #[error("[permissions] env.{variable}: the hub has no variable {from}")]
    NoVariable { variable: String, from: String },
    #[error("[permissions] env.{variable}: {from} is the hub's own; no plugin may have it")]
    HubsOwn { variable: String, from: String },
    #[error("[permissions] env: {0:?} is no name of a variable")]
    VariableName(String),
    #[error("[permissions] {key}: {} is no folder", folder.display())]
    NoFolder { key: &'static str, folder: PathBuf },
    #[error(
        "[permissions] {key}: {} leads upwards; write it as an absolute path", folder.display()
    )]
    Upwards { key: &'static str, folder: PathBuf },
    #[error(
        "[permissions] write: {} is or holds a folder of plugins; who may write there could grant \
         itself everything", .0.display()
    )]
    OwnFolder(PathBuf),
    #[error("[limits] {key}: {wanted} is above {max}, the operator's plugins.{key}_max")]
    AboveCeiling { key: &'static str, wanted: String, max: String },
    #[error("[limits] {key} must not be zero")]
    Zero { key: &'static str },
    #[error("[config] {0}: only texts, numbers, true and false; write other things as a text")]
    ConfigValue(String),
}

impl Manifest {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|error| Fault::Unreadable(error.to_string().trim().to_owned()))
    }

    /// The bounds of a call: the operator's, as far as they are not set here.
    pub(crate) fn bounds(&self, options: &Options) -> Result<Bounds, Fault> {
        let Limits { memory, time, output } = &self.limits;
        let memory = within("memory", memory.unwrap_or(options.memory), options.memory_max)?;
        let output = within("output", output.unwrap_or(options.output), options.output_max)?;
        let time = time.unwrap_or(options.time);
        if time.is_zero() {
            return Err(Fault::Zero { key: "time" });
        }
        if time > options.time_max {
            let (wanted, max) = (format!("{time:?}"), format!("{:?}", options.time_max));
            return Err(Fault::AboveCeiling { key: "time", wanted, max });
        }
        Ok(Bounds { memory, time, output })
    }

    /// What is granted; relative folders are meant from `here`. No folder that is writable may lead
    /// to `plugins`, the folder of all of them. `environment` is the hub's own.
    pub(crate) fn grants(
        &self,
        here: &Path,
        plugins: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Grants, Fault> {
        let Permissions { network, addresses, env, read, write } = &self.permissions;
        let network = network.iter().map(|rule| Rule::parse(rule)).collect::<Result<_, _>>()?;
        let addresses = addresses.iter().map(|text| net(text)).collect::<Result<_, _>>()?;
        let env = env
            .iter()
            .map(|(name, variable)| Ok((name.clone(), variable.value(name, &environment)?)))
            .collect::<Result<_, Fault>>()?;
        let mut folders = Vec::new();
        for (key, paths, is_writable) in [("read", read, false), ("write", write, true)] {
            for path in paths {
                let folder = folder(key, path, here, is_writable)?;
                if is_writable && leads_to_plugins(&folder.host, here, plugins) {
                    return Err(Fault::OwnFolder(folder.host));
                }
                folders.push(folder);
            }
        }
        let config = self.config.iter().map(config_value).collect::<Result<_, _>>()?;
        Ok(Grants { network, addresses, env, folders, config })
    }

    /// What is granted, a sentence each, without any value.
    pub(crate) fn permissions(&self) -> Vec<String> {
        let Permissions { network, addresses, env, read, write } = &self.permissions;
        let mut all = Vec::new();
        let mut tell = |what: &str, named: Vec<String>| {
            all.extend(named.into_iter().map(|name| format!("{what} {name}")));
        };
        tell("network", network.clone());
        tell("addresses", addresses.clone());
        tell("env", env.keys().cloned().collect());
        tell("read", read.iter().map(|path| path.display().to_string()).collect());
        tell("write", write.iter().map(|path| path.display().to_string()).collect());
        all
    }
}

impl Variable {
    fn value(
        &self,
        name: &str,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<String, Fault> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Fault::VariableName(name.to_owned()));
        }
        let from = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::From(From { from }) => from.clone(),
        };
        let variable = name.to_owned();
        if from.starts_with(WITHHELD) {
            return Err(Fault::HubsOwn { variable, from });
        }
        environment(&from).ok_or(Fault::NoVariable { variable, from })
    }
}

fn within(key: &'static str, wanted: ByteSize, max: ByteSize) -> Result<usize, Fault> {
    let told = |size: ByteSize| size.display().iec().to_string();
    match wanted {
        wanted if wanted.as_u64() == 0 => Err(Fault::Zero { key }),
        wanted if wanted > max => {
            Err(Fault::AboveCeiling { key, wanted: told(wanted), max: told(max) })
        }
        wanted => Ok(bytes(wanted)),
    }
}

fn net(text: &str) -> Result<IpNet, Fault> {
    network::net(text).ok_or_else(|| Fault::Address(text.to_owned()))
}

/// A folder as the guest will see it: under the very path that is written here.
fn folder(key: &'static str, path: &Path, here: &Path, is_writable: bool) -> Result<Folder, Fault> {
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Fault::Upwards { key, folder: path.to_owned() });
    }
    let host = here.join(path);
    if !host.is_dir() {
        return Err(Fault::NoFolder { key, folder: host });
    }
    let guest: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    let guest = match guest.to_string_lossy() {
        name if name.is_empty() => ".".to_owned(),
        name => name.into_owned(),
    };
    Ok(Folder { host, guest, is_writable })
}

/// Whether plugins and their permissions can be written from `folder`: those for everybody, or those
/// of some user, `users/SUB` below.
fn leads_to_plugins(folder: &Path, here: &Path, plugins: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_gone| path.to_owned());
    let (folder, here, plugins) = (real(folder), real(here), real(plugins));
    let users = plugins.join(USERS);
    here.starts_with(&folder)
        || plugins.starts_with(&folder)
        || folder == users
        || folder.parent() == Some(&*users)
}

fn config_value((key, value): (&String, &toml::Value)) -> Result<(String, String), Fault> {
    let plain = |value: &dyn Display| Ok((key.clone(), value.to_string()));
    match value {
        toml::Value::String(text) => plain(text),
        toml::Value::Integer(number) => plain(number),
        toml::Value::Float(number) => plain(number),
        toml::Value::Boolean(flag) => plain(flag),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            Err(Fault::ConfigValue(key.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        (name == "THERE").then(|| "a value".to_owned())
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let fault = Manifest::parse(text).and_then(|manifest| {
            manifest.bounds(&Options::default())?;
            manifest.grants(Path::new("/tmp"), Path::new("/tmp/plugins"), environment)
        });
        let fault = fault.expect_err(text).to_string();
        assert!(fault.contains(why), "{text}: {fault}");
    }

    #[test]
    fn without_a_file_nothing_is_granted() {
        let manifest = Manifest::default();
        assert_eq!(
            manifest.grants(Path::new("/"), Path::new("/"), environment).unwrap(),
            Grants::default()
        );
        let bounds = manifest.bounds(&Options::default()).unwrap();
        assert_eq!(bounds.memory, 64 << 20);
        assert_eq!(bounds.time, Duration::from_secs(30));
    }

    #[test]
    fn everything_that_may_be_written_takes_effect() {
        let text = r#"
            [permissions]
            network = ["https://api.example.com"]
            addresses = ["10.0.0.0/8", "fd00::1"]
            env = { KEY = { from = "THERE" }, MODE = "fast" }
            read = ["."]
            [limits]
            memory = "128 MiB"
            time = "1m"
            output = "1 MiB"
            [config]
            greeting = "hello"
            most = 3
            loud = true
        "#;
        let manifest = Manifest::parse(text).unwrap();
        let grants =
            manifest.grants(Path::new("/tmp"), Path::new("/tmp/plugins"), environment).unwrap();
        assert_eq!(grants.network, [Rule::parse("https://api.example.com:443").unwrap()]);
        assert_eq!(grants.addresses.len(), 2);
        assert_eq!(grants.env["KEY"], "a value");
        assert_eq!(grants.env["MODE"], "fast");
        assert_eq!(grants.folders[0].guest, ".");
        assert_eq!(grants.config["most"], "3");
        assert_eq!(grants.config["loud"], "true");
        let bounds = manifest.bounds(&Options::default()).unwrap();
        let time = Duration::from_secs(60);
        assert_eq!(bounds, Bounds { memory: 128 << 20, time, output: 1 << 20 });
    }

    #[test]
    fn a_plugin_may_raise_a_bound_as_far_as_its_operator_lets_it() {
        for (key, fitting, too_much) in [
            ("memory", ["255 MiB", "256 MiB"], "262145 KiB"),
            ("time", ["299s", "300s"], "301s"),
            ("output", ["63 MiB", "64 MiB"], "65537 KiB"),
        ] {
            let limit = |wanted: &str| format!("[limits]\n{key} = '{wanted}'");
            for wanted in fitting {
                let manifest = Manifest::parse(&limit(wanted)).unwrap();
                manifest.bounds(&Options::default()).unwrap();
            }
            refused(&limit(too_much), &format!("the operator's plugins.{key}_max"));
        }
    }

    #[test]
    fn faults_keep_the_plugin_out_and_are_named() {
        refused("[permission]", "unknown field `permission`");
        refused("[permissions]\nnetwrok = []", "unknown field `netwrok`");
        refused("[permissions]\nnetwork = ['example.com']", "it has no scheme");
        refused("[permissions]\naddresses = ['ten']", "neither an address nor a network");
        refused("[permissions]\nenv = { A = { from = 'GONE' } }", "the hub has no variable GONE");
        refused("[permissions]\nenv = { A = { from = 'MCP_HUB_AUTH__SECRET' } }", "the hub's own");
        refused("[permissions]\nenv = { A = { frm = 'X' } }", "expected a text, or { from");
        refused("[permissions]\nread = ['nowhere/at/all']", "is no folder");
        refused("[permissions]\nwrite = ['../x']", "leads upwards");
        refused("[permissions]\nwrite = ['.']", "could grant itself everything");
        refused("[permissions]\nwrite = ['/']", "could grant itself everything");
        refused("[limits]\ntime = '0s'", "time must not be zero");
        refused("[limits]\nfuel = 1", "unknown field `fuel`");
        refused("[config]\nlist = [1]", "only texts, numbers");
    }
}
