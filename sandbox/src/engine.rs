//! One engine for all components: how they are compiled, where their instances live, who runs them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
};

use tokio::{
    runtime::{Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, component::Linker,
};

use super::{
    bounds::{Budget, CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX},
    clock::{Clock, Ticking},
    files::{self, EmptyFolder},
    host::mcp_hub::plugin::host,
    state::State,
};

/// The stack of a guest, in bytes.
const STACK_BYTES: usize = 512 * 1024;
/// The same with what the host's functions need on it.
const FIBER_BYTES: usize = 1024 * 1024;
/// The bookkeeping of one instance, in bytes; big components have much of it.
const INSTANCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Core instances kept ready on average for each component instance. Most have one, Python's a dozen.
const CORE_INSTANCES_EACH: u32 = 8;
/// Memories and tables likewise.
const MEMORIES_EACH: u32 = 2;
const TABLES_EACH: u32 = 4;
/// Places of instances that are kept so: more than calls run in the same moment on most machines.
const WARM_SLOTS_MAX: u32 = 32;
/// What of an instance's memories, tables and stack stays in memory for the next one, in bytes; see
/// `docs/benchmarks.md`.
const MEMORY_BYTES_KEPT: usize = 1024 * 1024;
const TABLE_BYTES_KEPT: usize = 64 * 1024;
const STACK_BYTES_KEPT: usize = 64 * 1024;
/// How much less the threads of slow guests count than those that serve everybody, from 0 to 19.
const GUEST_NICENESS: i32 = 10;

/// What a sandbox is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most linear memory any plugin may have, in bytes.
    pub memory_max: usize,
    /// The linear memory all instances may have together, in bytes.
    pub memory_total: usize,
    /// Instances of all plugins that may live at once.
    pub instances_max: u32,
    /// A folder of the sandbox's own, made if need be, and kept empty.
    pub empty_folder: PathBuf,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    layout: Layout,
    clock: Clock,
    instances: Arc<Semaphore>,
    instances_max: usize,
    budget: Budget,
    empty_folder: EmptyFolder,
    guests: Option<Runtime>,
}

/// The place one instance takes among all; given back on drop.
#[must_use = "the place is given back when this is dropped"]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _ticking: Ticking,
}

/// How memories are laid out; native code is made for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Address space is reserved for all instances at once, and no access needs a check.
    Spacious,
    /// Where the address space is bounded (`ulimit -v`): memory is taken as it is needed.
    Frugal,
}

impl Layout {
    const ALL: [Self; 2] = [Self::Spacious, Self::Frugal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spacious => "spacious",
            Self::Frugal => "frugal",
        }
    }
}

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|layout| layout.as_str() == name);
        named.ok_or_else(|| "the layouts are spacious and frugal".to_owned())
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum NoSandbox {
    #[error("the Wasm engine does not start: {0}")]
    Engine(String),
    #[error("the Wasm engine's threads do not start")]
    Threads(#[source] std::io::Error),
    #[error("there is no empty folder for plugins at {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Sandbox {
    /// Starts an engine, spacious if the system lets it.
    pub fn new(options: &Options) -> Result<Self, NoSandbox> {
        // Old kernels cannot tell which pages were used.
        let pooled = pooled(options, Reset::UsedPages).or_else(|_| pooled(options, Reset::All));
        let (engine, layout) = match pooled {
            Ok(engine) => (engine, Layout::Spacious),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "not enough address space for a pool of plugin instances: calls will be slower"
                );
                let frugal = Engine::new(&config(Layout::Frugal));
                (frugal.map_err(|e| NoSandbox::Engine(format!("{e:#}")))?, Layout::Frugal)
            }
        };
        let clock = Clock::start(&engine).map_err(NoSandbox::Threads)?;
        let linker = linked(&engine).map_err(|e| NoSandbox::Engine(format!("{e:#}")))?;
        let path = options.empty_folder.clone();
        let empty_folder =
            EmptyFolder::at(path.clone()).map_err(|source| NoSandbox::Folder { path, source })?;
        let instances_max = options.instances_max as usize;
        let guests = guest_threads().map_err(NoSandbox::Threads)?;
        let shared = Shared {
            engine,
            linker,
            layout,
            clock,
            instances: Arc::new(Semaphore::new(instances_max)),
            instances_max,
            budget: Budget::new(options.memory_total),
            empty_folder,
            guests: Some(guests),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How native code for this sandbox must be laid out.
    pub fn layout(&self) -> Layout {
        self.shared.layout
    }

    /// Tells native code made by and for this very engine from any other.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.shared.engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.shared.linker
    }

    pub(crate) fn empty_folder(&self) -> &EmptyFolder {
        &self.shared.empty_folder
    }

    /// A place for one more instance, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        let place = Arc::clone(&self.shared.instances).try_acquire_owned().ok()?;
        Some(Place { _place: place, _ticking: self.shared.clock.tick() })
    }

    /// Instances that live now.
    pub fn instances(&self) -> usize {
        self.shared.instances_max.saturating_sub(self.shared.instances.available_permits())
    }

    pub(crate) fn instances_max(&self) -> usize {
        self.shared.instances_max
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    /// The threads that only guests use.
    pub(crate) fn guests(&self) -> &Handle {
        self.shared.guests.as_ref().expect("there until dropped").handle()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Guests that still run are left alone with it: nobody waits for them.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

/// Makes native code of a component. It can take long, cannot be interrupted and keeps its memory:
/// to be called in a process of its own.
pub fn compile(wasm: &[u8], layout: Layout) -> Result<Vec<u8>, String> {
    let engine = Engine::new(&config(layout)).map_err(|error| format!("{error:#}"))?;
    engine.precompile_component(wasm).map_err(|error| format!("{error:#}"))
}

/// How the place of an instance is made ready for the next.
#[derive(Clone, Copy)]
enum Reset {
    /// The pages that were used are written over, as far as they are few, and stay in memory: the next
    /// instance finds them there.
    UsedPages,
    /// All pages are given back to the system.
    All,
}

fn pooled(options: &Options, reset: Reset) -> wasmtime::Result<Engine> {
    let instances = options.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_EACH).max(CORE_INSTANCES_MAX))
        .total_memories(instances.saturating_mul(MEMORIES_EACH).max(MEMORIES_MAX))
        .total_tables(instances.saturating_mul(TABLES_EACH).max(TABLES_MAX))
        .total_stacks(instances)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(options.memory_max)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .table_keep_resident(TABLE_BYTES_KEPT);
    if let Reset::UsedPages = reset {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(MEMORY_BYTES_KEPT)
            .async_stack_keep_resident(STACK_BYTES_KEPT);
    }
    let mut config = config(Layout::Spacious);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// What native code depends on: the same here and in the process that compiles.
fn config(layout: Layout) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBER_BYTES)
        .wasm_memory64(false)
        .wasm_component_model(true);
    if layout == Layout::Frugal {
        config
            .memory_reservation(0)
            .memory_guard_size(64 * 1024)
            .memory_reservation_for_growth(1024 * 1024);
    }
    config
}

fn linked(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    files::link(&mut linker)?;
    host::add_to_linker::<State, wasmtime::component::HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn guest_threads() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("guest")
        .enable_all()
        .on_thread_start(|| {
            // On Linux this is the thread's own; without it guests only get more than they should.
            if let Err(error) = rustix::process::setpriority_process(None, GUEST_NICENESS) {
                tracing::debug!(%error, "guests run at full priority");
            }
        })
        .build()
}
