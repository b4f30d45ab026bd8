//! The contract of `wit/plugin.wit` as Rust types, and what a guest may ask of the host.

use std::sync::atomic::Ordering;

use self::mcp_hub::plugin::host::{Host, Level};
use super::state::State;

wasmtime::component::bindgen!({
    path: "../wit",
    world: "provider",
    imports: { default: trappable },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: false },
});

/// The longest message passed on, in bytes; the rest is cut off.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Hears what a guest says while it works. It must not block.
pub trait Listener: Send + Sync + 'static {
    /// `level` is one of the names of MCP, such as `"warning"`.
    fn log(&self, level: &'static str, message: &str);
    fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>);
}

impl Host for State {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Critical => "critical",
            Level::Alert => "alert",
            Level::Emergency => "emergency",
        };
        if let Some(listener) = &self.listener {
            listener.log(level, short(&message));
        }
        Ok(())
    }

    fn progress(
        &mut self,
        progress: f64,
        total: Option<f64>,
        message: Option<String>,
    ) -> wasmtime::Result<()> {
        // JSON has no word for the others.
        if progress.is_finite()
            && let Some(listener) = &self.listener
        {
            let total = total.filter(|total| total.is_finite());
            listener.progress(progress, total, message.as_deref().map(short));
        }
        Ok(())
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.watch.is_cancelled.load(Ordering::Relaxed))
    }

    fn config(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.grants.config.get(&key).cloned())
    }
}

fn short(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
