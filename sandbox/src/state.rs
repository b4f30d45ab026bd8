//! What belongs to one instance while it lives: its view of the world, its meter, its clock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::time::Instant;
use wasmtime::{Store, StoreContextMut, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{
    bounds::{
        Bounds, COMPONENT_HANDLES_MAX, HANDLES_MAX, HEADER_BYTES_MAX, Meter, RANDOM_BYTES_MAX,
    },
    denials::Denials,
    engine::Sandbox,
    failure::{Cause, Failure, OutOfTime},
    files,
    grants::Grants,
    host::Listener,
    http::{Http, Network},
    stdio::Output,
};

/// The data of a guest's store.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    door: Http,
    pub meter: Meter,
    pub grants: Arc<Grants>,
    pub listener: Option<Arc<dyn Listener>>,
    pub denials: Denials,
    pub output: Output,
    pub watch: Arc<Watch>,
    deadline: Instant,
}

/// What the owner of a call and its guest tell each other while the guest runs.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// How often the guest was found running when the clock ticked.
    pub ticks: AtomicU32,
    /// Nobody waits any more.
    pub is_cancelled: AtomicBool,
}

/// What the instances of one plugin are made with.
pub(crate) struct Make {
    pub sandbox: Sandbox,
    pub name: String,
    pub bounds: Bounds,
    pub grants: Arc<Grants>,
    pub network: Arc<Network>,
    /// Whether the guest knows files at all.
    pub has_files: bool,
    /// What its calls were refused lately.
    pub denied: Denials,
}

impl Make {
    /// A store whose guest must be done by the end of its time from now.
    pub(crate) fn store(
        &self,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<Store<State>, Failure> {
        let output = Output::default();
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output.clone()).stderr(output.clone()).max_random_size(RANDOM_BYTES_MAX);
        for (name, value) in &self.grants.env {
            wasi.env(name, value);
        }
        if self.has_files {
            let opened = files::open(&mut wasi, self.sandbox.empty_folder(), &self.grants);
            opened.map_err(|error| Cause::Trapped(format!("{error:#}")))?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADER_BYTES_MAX);
        let denials = Denials::default();
        let door = Http::new(Arc::clone(&self.network), denials.clone());
        let state = State {
            wasi: wasi.build(),
            table,
            http,
            door,
            meter: Meter::new(&self.bounds, self.sandbox.budget().clone()),
            grants: Arc::clone(&self.grants),
            listener,
            denials,
            output,
            watch: Arc::default(),
            deadline: Instant::now() + self.bounds.time,
        };
        let mut store = Store::new(self.sandbox.engine(), state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(self.bounds.output);
        store.set_max_component_handles(COMPONENT_HANDLES_MAX);
        let time = self.bounds.time;
        store.epoch_deadline_callback(move |context| looked_up(&context, time));
        store.set_epoch_deadline(1);
        Ok(store)
    }
}

/// The guest was interrupted: others get a turn, and it goes on if it has time left.
fn looked_up(
    context: &StoreContextMut<'_, State>,
    time: std::time::Duration,
) -> wasmtime::Result<UpdateDeadline> {
    let state = context.data();
    if Instant::now() >= state.deadline {
        return Err(OutOfTime(time).into());
    }
    state.watch.ticks.fetch_add(1, Ordering::Relaxed);
    Ok(UpdateDeadline::Yield(1))
}

impl Watch {
    /// Whether the guest takes longer than a moment. One tick may meet anybody.
    pub(crate) fn is_slow(&self) -> bool {
        self.ticks.load(Ordering::Relaxed) > 1
    }
}

impl State {
    /// By when the guest must be done.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.door, table: &mut self.table, ctx: &mut self.http }
    }
}
