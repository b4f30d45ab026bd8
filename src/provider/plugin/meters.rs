//! What is counted of plugins. All of it is rare, so handles are looked up when they are needed.

use std::time::Duration;

use mcp_hub_sandbox::Cause;
use metrics::{Counter, Histogram, counter, gauge, histogram};

use super::{board::Board, load::Loader};
use crate::model::plugin::PluginState;

/// What came of taking in a file, as metric labels.
pub(super) const SERVING: &str = "serving";
pub(super) const FAULTY: &str = "faulty";

const STOPS: [&str; 7] = [
    "out_of_time",
    "out_of_memory",
    "out_of_budget",
    "out_of_table",
    "too_much_output",
    "exited",
    "trapped",
];

/// Has all counters there from the start: what has never happened is to be seen as zero.
pub(super) fn prepare() {
    for outcome in [SERVING, FAULTY] {
        loads(outcome).increment(0);
    }
    for cause in STOPS {
        stops(cause).increment(0);
    }
    drop(compiles());
}

fn loads(outcome: &'static str) -> Counter {
    counter!("mcp_hub_plugin_loads_total", "outcome" => outcome)
}

fn stops(cause: &'static str) -> Counter {
    counter!("mcp_hub_plugin_stops_total", "cause" => cause)
}

fn compiles() -> Histogram {
    histogram!("mcp_hub_plugin_compile_duration_seconds")
}

/// A file was taken in or kept out.
pub(super) fn loaded(outcome: &'static str) {
    loads(outcome).increment(1);
}

/// Native code was made.
pub(super) fn compiled(time: Duration) {
    compiles().record(time);
}

/// A call failed; counted if its plugin was stopped or broke down.
pub(super) fn failed(cause: &Cause) {
    let cause = match cause {
        Cause::OutOfTime(_) => "out_of_time",
        Cause::OutOfMemory(_) => "out_of_memory",
        Cause::OutOfBudget => "out_of_budget",
        Cause::OutOfTable => "out_of_table",
        Cause::TooMuchOutput(_) => "too_much_output",
        Cause::Exited(_) => "exited",
        Cause::Trapped(_) => "trapped",
        Cause::Busy { .. } | Cause::Faulty(_) | Cause::Said(_) => return,
    };
    stops(cause).increment(1);
}

/// Brings the gauges up to date.
#[expect(clippy::cast_precision_loss, reason = "counts fit an f64")]
pub(super) fn measure(board: &Board, loader: &Loader) {
    for state in PluginState::ALL {
        let count = board.count(|card| card.state() == state);
        gauge!("mcp_hub_plugins", "state" => state.label()).set(count as f64);
    }
    gauge!("mcp_hub_plugins_serving").set(board.count(|card| card.serves()) as f64);
    gauge!("mcp_hub_plugin_instances").set(loader.instances() as f64);
}
