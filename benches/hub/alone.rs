//! A plugin without a hub: in the same sandbox, a fresh instance for each call, and nothing else.

use std::{thread, time::Duration};

use anyhow::{Context, anyhow};
use mcp_hub_sandbox::{
    Bounds, Grants, Options, Outline, Plugin, Request, Sandbox, Settings, compile,
};
use tempfile::TempDir;
use tokio::{runtime, task::JoinSet, time::Instant};

use crate::{
    args::Pace,
    ask::META,
    child::processor_seconds,
    load::{Round, Seen},
    plugin,
};

/// The hub's own defaults.
const MEMORY: usize = 64 << 20;
const MEMORY_MAX: usize = 256 << 20;
const MEMORY_TOTAL: usize = 4 << 30;
const OUTPUT: usize = 16 << 20;
const INSTANCES: u32 = 256;
const TIME: Duration = Duration::from_secs(30);

/// A plugin that can be called.
pub(crate) struct Alone {
    plugin: Plugin,
    asked: &'static plugin::Plugin,
    _folder: TempDir,
}

impl Alone {
    pub(crate) fn load(asked: &'static plugin::Plugin, wasm: &[u8]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sandbox = Sandbox::new(&Options {
            memory_max: MEMORY_MAX,
            memory_total: MEMORY_TOTAL,
            instances_max: INSTANCES,
            empty_folder: folder.path().join("empty"),
        })?;
        let native = folder.path().join("native");
        let compiled = compile(wasm, sandbox.layout());
        std::fs::write(&native, compiled.map_err(|refusal| anyhow!(refusal))?)?;
        let settings = Settings {
            name: asked.name.to_owned(),
            bounds: Bounds { memory: MEMORY, time: TIME, output: OUTPUT },
            grants: Grants::default(),
        };
        let plugin = sandbox.load(&native, wasm, &Outline::of(wasm)?, settings)?;
        Ok(Self { plugin, asked, _folder: folder })
    }

    /// So many tasks at a time call it again and again.
    pub(crate) fn drive(&self, tasks: usize, pace: &Pace) -> anyhow::Result<Round> {
        // A runtime cannot be waited for on a thread of another.
        let on_its_own = || thread::scope(|scope| scope.spawn(|| self.round(tasks, pace)).join());
        on_its_own().map_err(|_panic| anyhow!("a plugin panicked"))?
    }

    fn round(&self, tasks: usize, pace: &Pace) -> anyhow::Result<Round> {
        let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let from = Instant::now() + pace.warm_up;
            let until = from + pace.round;
            let before = processor_seconds(std::process::id())?;
            let mut calling = JoinSet::new();
            for _task in 0..tasks {
                calling.spawn(call_repeatedly(self.plugin.clone(), self.asked, from, until));
            }
            let mut seen = Seen::default();
            while let Some(part) = calling.join_next().await {
                seen.add(part??);
            }
            let processor = processor_seconds(std::process::id())? - before;
            Round::of(&mut seen, processor, pace)
        })
    }
}

async fn call_repeatedly(
    plugin: Plugin,
    asked: &'static plugin::Plugin,
    from: Instant,
    until: Instant,
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut sent = Instant::now();
    while sent < until {
        let request = Request {
            name: asked.tool.into(),
            arguments: asked.arguments.into(),
            input_responses: None,
            request_state: None,
            meta: META.into(),
        };
        let answer = plugin.call(request, None).await?;
        answer.contains(asked.says).then_some(()).with_context(|| format!("said {answer}"))?;
        let answered = Instant::now();
        seen.note(from, sent, answered);
        sent = answered;
        // Else a task would keep its thread for itself, which a connection does not.
        tokio::task::yield_now().await;
    }
    Ok(seen)
}
