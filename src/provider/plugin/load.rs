//! Takes in one plugin file: all the way from bytes to tools, or not at all, with the reason.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mcp_hub_sandbox::{Broken, NoSandbox, Outline, Plugin, Sandbox, Settings};
use serde_json::value::RawValue;
use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
};

use super::{
    answering::PluginProvider,
    folder::{self, Unread},
    manifest::{self, Manifest},
    native::{Natives, NoCache, Uncompiled, hexadecimal},
    options::Options,
};
use crate::{
    hub::{
        Hub,
        provider::{Identity, Kind},
        registry::{Audience, OfferRefused, Registration},
    },
    model::{
        id::{InstanceId, ProviderId},
        json,
        limits::{Limits, bytes},
        tool::Tool,
    },
    provider::tool_set::{self, Faulty},
};

/// Digits of a plugin's digest that make its version.
const VERSION_DIGITS: usize = 12;
/// Plugins that are read or asked for their tools at once.
const TURNS: usize = 4;

/// The hub's own environment, one variable at a time.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What plugins are taken in with.
#[derive(Clone)]
pub struct Loader {
    /// Started for the first plugin: a hub without any does not pay for it.
    sandbox: Arc<OnceCell<Sandbox>>,
    natives: Arc<Natives>,
    pub(super) options: Arc<Options>,
    pub(super) limits: Arc<Limits>,
    environment: Environment,
    empty_folder: PathBuf,
    /// Those that are read and asked for their tools at once; compiling has a queue of its own.
    turns: Arc<Semaphore>,
}

/// A plugin that can be offered.
pub struct Loaded {
    pub plugin: Plugin,
    pub tools: Vec<Arc<Tool>>,
    pub outline: Outline,
    /// SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
    /// The size of the file.
    pub bytes: usize,
    pub permissions: Vec<String>,
    /// Sentences about what of it cannot be offered.
    pub warnings: Vec<String>,
    /// `None` when its native code was in the cache.
    pub compiled_in: Option<Duration>,
}

/// Why a plugin is kept out.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Unread(#[from] UnreadFile),
    #[error("{file}: {fault}", file = .file)]
    Manifest { file: String, fault: String },
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Uncompiled(#[from] Uncompiled),
    #[error(transparent)]
    NoSandbox(#[from] NoSandbox),
    #[error("{told}")]
    Tools { told: String, limit: Option<&'static str> },
    #[error("a part of the hub broke while loading it")]
    Panicked,
}

/// Why a file was not read, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnreadFile(String);

impl Fault {
    /// The key of the limit for all providers' tools that its own went beyond, if they did.
    pub(super) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Tools { limit, .. } => *limit,
            _ => None,
        }
    }
}

impl From<Unread> for Fault {
    fn from(unread: Unread) -> Self {
        Self::Unread(UnreadFile(unread.to_string()))
    }
}

impl Loaded {
    /// Puts it on offer under `name`, in the place of a version before.
    pub fn offer(
        &self,
        hub: &Hub,
        audience: Audience,
        name: &str,
    ) -> Result<Registration, OfferRefused> {
        let identity = Identity {
            id: ProviderId::random(),
            name: name.into(),
            version: Some(self.digest[..VERSION_DIGITS].into()),
            instance: InstanceId::parse(&format!("plugin:{name}"))
                .unwrap_or_else(InstanceId::random),
            kind: Kind::Plugin,
        };
        let provider = Arc::new(PluginProvider::new(self.plugin.clone(), Arc::clone(hub.limits())));
        hub.offer(audience, identity, provider, self.tools.clone())
    }
}

impl Loader {
    /// Native code is kept in `cache`, made by `program`, which is the hub's own binary.
    pub fn new(
        options: Options,
        limits: Arc<Limits>,
        cache: &Path,
        program: PathBuf,
        environment: Environment,
    ) -> Result<Self, NoCache> {
        let natives = Natives::new(cache, program, &options)?;
        Ok(Self {
            sandbox: Arc::default(),
            natives: Arc::new(natives),
            options: Arc::new(options),
            limits,
            environment,
            empty_folder: cache.join("empty"),
            turns: Arc::new(Semaphore::new(TURNS)),
        })
    }

    /// Instances of plugins in use now.
    pub(super) fn instances(&self) -> usize {
        self.sandbox.get().map_or(0, Sandbox::instances)
    }

    async fn sandbox(&self) -> Result<&Sandbox, Fault> {
        let options = mcp_hub_sandbox::Options {
            memory_max: bytes(self.options.memory_max),
            memory_total: bytes(self.options.memory_total),
            instances_max: self.options.instances.get(),
            empty_folder: self.empty_folder.clone(),
        };
        let start = || async { Ok(blocking(move || Sandbox::new(&options)).await??) };
        self.sandbox.get_or_try_init(start).await
    }

    /// Takes in the plugin in the file `wasm` with the permissions in `manifest`, if that is there.
    pub async fn load(&self, wasm: &Path, manifest: &Path) -> Result<Loaded, Fault> {
        let turn = self.turns.acquire().await.expect("never closed");
        let (bytes, digest, outline) = self.read(wasm).await?;
        let permissions = self.manifest(manifest).await?;
        let here = manifest.parent().unwrap_or(Path::new("."));
        let fault = |fault: manifest::Fault| Fault::Manifest {
            file: manifest.display().to_string(),
            fault: fault.to_string(),
        };
        let settings = Settings {
            name: wasm.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            bounds: permissions.bounds(&self.options).map_err(fault)?,
            grants: permissions
                .grants(here, &self.options.folder, &*self.environment)
                .map_err(fault)?,
        };
        let sandbox = self.sandbox().await?.clone();
        drop(turn);
        let (plugin, compiled_in) =
            self.plugin(&sandbox, &bytes, &digest, &outline, settings).await?;
        let _turn = self.turns.acquire().await.expect("never closed");
        let listed = plugin.list().await?;
        let mut warnings = listed.refused;
        let tools = self.tools(&listed.definitions)?;
        let long = tools.iter().map(|tool| tool.name.as_str());
        warnings.extend(long.filter_map(tool_set::warning));
        let permissions = permissions.permissions();
        Ok(Loaded {
            plugin,
            tools,
            outline,
            digest,
            bytes: bytes.len(),
            permissions,
            warnings,
            compiled_in,
        })
    }

    /// The plugin in `bytes`, and how long compiling it took if it was.
    async fn plugin(
        &self,
        sandbox: &Sandbox,
        bytes: &Bytes,
        digest: &str,
        outline: &Outline,
        settings: Settings,
    ) -> Result<(Plugin, Option<Duration>), Fault> {
        loop {
            let native = self.natives.of(bytes, digest, sandbox).await?;
            let (path, sandbox, bytes) = (native.path.clone(), sandbox.clone(), bytes.clone());
            let (outline, settings) = (outline.clone(), settings.clone());
            let load = move || sandbox.load(&path, &bytes, &outline, settings);
            match blocking(load).await? {
                Err(Broken::Unloadable(_)) if native.compiled_in.is_none() => {
                    Natives::forget(&native);
                }
                loaded => return Ok((loaded?, native.compiled_in)),
            }
        }
    }

    async fn read(&self, wasm: &Path) -> Result<(Bytes, String, Outline), Fault> {
        let (path, max) = (wasm.to_owned(), self.options.file.as_u64());
        blocking(move || {
            let bytes = folder::read(&path, max, "plugins.file")?;
            let outline = Outline::of(&bytes)?;
            let digest = hexadecimal(&bytes);
            Ok((bytes, digest, outline))
        })
        .await?
    }

    async fn manifest(&self, path: &Path) -> Result<Manifest, Fault> {
        let file = path.to_owned();
        let max = manifest::BYTES_MAX as u64;
        let fault = |fault: String| Fault::Manifest { file: path.display().to_string(), fault };
        let text = match blocking(move || folder::read(&file, max, "a NAME.toml")).await? {
            Ok(bytes) => bytes,
            Err(Unread::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Manifest::default());
            }
            Err(unread) => return Err(unread.into()),
        };
        let text = std::str::from_utf8(&text).map_err(|error| fault(error.to_string()))?;
        Manifest::parse(text).map_err(|faulty| fault(faulty.to_string()))
    }

    fn tools(&self, definitions: &[String]) -> Result<Vec<Arc<Tool>>, Fault> {
        let mut raw: Vec<&RawValue> = Vec::with_capacity(definitions.len());
        for definition in definitions {
            json::check(definition, self.limits.json_depth.get()).map_err(|fault| {
                let told = format!("a tool's definition is refused: {}", fault.told());
                Fault::Tools { told, limit: fault.limit() }
            })?;
            let definition = serde_json::from_str(definition).map_err(|error| {
                let told = format!("a tool's definition is no JSON: {error}");
                Fault::Tools { told, limit: None }
            })?;
            raw.push(definition);
        }
        tool_set::parse(&raw, &self.limits)
            .map_err(|faulty| Fault::Tools { told: sentences(&faulty), limit: faulty.limit() })
    }
}

/// What is wrong with a tool set, tool by tool.
fn sentences(faulty: &Faulty) -> String {
    let mut text = faulty.to_string();
    if let Faulty::Tools { refused, .. } = faulty {
        for (index, refusal) in refused {
            let name = refusal.name.as_ref().map_or(String::new(), |name| format!(" {name:?}"));
            text.push_str(&format!("; tool {}{name}: {}", index + 1, refusal.reason));
        }
    }
    text
}

/// Work that would hold up others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    spawn_blocking(work).await.map_err(|_panicked| Fault::Panicked)
}
